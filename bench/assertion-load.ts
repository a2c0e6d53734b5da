// Requests of one kind at a time over kept connections, in slices. Each line of standard input is a slice: its
// requests are built, "built" is printed, and the next line starts it. Prints a line of JSON for each slice.
// Runs as its own process.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { bodies, type BenchKeys, type CallerKind } from './assertion-callers.ts';

export interface AssertionLoadOptions {
  port: number;
  connections: number;
  keys: BenchKeys;
}

export interface Slice {
  kind: CallerKind;
  requests: number;
}

export interface SliceResult {
  seconds: number;
  /** How many answers had each status. */
  statuses: Record<string, number>;
}

const options = JSON.parse(process.argv[2] ?? '{}') as AssertionLoadOptions;
const body = bodies(options.keys, `http://localhost:${options.port}/marketing`);
const sockets: Socket[] = await Promise.all(
  Array.from({ length: options.connections }, async () => {
    const socket = connect(options.port, '127.0.0.1');
    await once(socket, 'connect');
    return socket.setNoDelay(true).setEncoding('latin1');
  }),
);

let serial = 0;
let due: Buffer[] | null = null;
for await (const line of createInterface({ input: process.stdin })) {
  if (due === null) {
    const { kind, requests } = JSON.parse(line) as Slice;
    due = Array.from({ length: requests }, () => request(body(kind, serial++)));
    console.log('built');
  } else {
    console.log(JSON.stringify(await run(due)));
    due = null;
  }
}
for (const socket of sockets) socket.end();

async function run(requests: Buffer[]): Promise<SliceResult> {
  const statuses: Record<string, number> = {};
  const startedAt = performance.now();
  await Promise.all(sockets.map((socket) => runConnection(socket, requests, statuses)));
  return { seconds: (performance.now() - startedAt) / 1000, statuses };
}

function runConnection(socket: Socket, requests: Buffer[], statuses: SliceResult['statuses']): Promise<void> {
  return new Promise((resolve, reject) => {
    let received = '';
    const next = (): void => {
      const bytes = requests.pop();
      if (bytes !== undefined) return void socket.write(bytes);
      socket.removeAllListeners('data').removeAllListeners('close');
      resolve();
    };
    socket.on('close', () => reject(new Error('The server closed a connection.')));
    socket.on('data', (text: string) => {
      received += text;
      const end = received.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(received.slice(0, end))?.[1]);
      if (received.length < end + 4 + length) return;
      const status = received.slice(9, 12);
      statuses[status] = (statuses[status] ?? 0) + 1;
      received = '';
      next();
    });
    next();
  });
}

function request(text: string): Buffer {
  return Buffer.from(
    'POST /marketing/oauth2/token HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n' +
      `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
  );
}
