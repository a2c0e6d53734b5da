// A flood of bad requests at full speed, and beside it callers with a secret at a fixed rate, whose times count
// from when a request was due. Reads a line of JSON for a step, prints "built", and starts at the next line.
// Runs as its own process.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { bodies, type BenchKeys, type CallerKind } from './assertion-callers.ts';
import { quantile } from './ratios.ts';

export interface FloodOptions {
  port: number;
  connections: number;
  keys: BenchKeys;
}

export interface FloodStep {
  /** Null: no flood. */
  flood: CallerKind | null;
  callsPerSecond: number;
  seconds: number;
}

export interface FloodResult {
  seconds: number;
  floodAnswers: number;
  tokens: number;
  /** Callers with a secret that got another answer than a token. */
  refused: number;
  p50Ms: number;
  p99Ms: number;
}

/** More than a step sends: each client id has a budget of failed attempts, which the flood must not exhaust. */
const BAD_REQUESTS = 12_000;
const CALLER_CONNECTIONS = 100;

const options = JSON.parse(process.argv[2] ?? '{}') as FloodOptions;
const body = bodies(options.keys, `http://localhost:${options.port}/marketing`);
const open = async (): Promise<Socket> => {
  const socket = connect(options.port, '127.0.0.1');
  await once(socket, 'connect');
  return socket.setNoDelay(true).setEncoding('latin1');
};
const flooding = await Promise.all(Array.from({ length: options.connections }, open));
const calling = await Promise.all(Array.from({ length: CALLER_CONNECTIONS }, open));

let serial = 0;
let step: FloodStep | null = null;
let bad: Buffer[] = [];
for await (const line of createInterface({ input: process.stdin })) {
  if (step === null) {
    step = JSON.parse(line) as FloodStep;
    const { flood } = step;
    bad = flood === null ? [] : Array.from({ length: BAD_REQUESTS }, () => request(body(flood, serial++)));
    console.log('built');
  } else {
    console.log(JSON.stringify(await run(step)));
    step = null;
  }
}

async function run({ callsPerSecond, seconds }: FloodStep): Promise<FloodResult> {
  const until = performance.now() + seconds * 1000;
  const counts = { floodAnswers: 0, tokens: 0, refused: 0 };
  const times: number[] = [];
  const startedAt = performance.now();
  const secret = request(body('secret', 0));
  const floods = bad.length === 0 ? [] : flooding.map((socket, i) => sendBad(socket, i, until, counts));
  const callers = calling.map(async (socket, i) => {
    const everyMs = (1000 * calling.length) / callsPerSecond;
    for (let due = startedAt + (everyMs * i) / calling.length; due < until; due += everyMs) {
      const waitMs = due - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      const status = await exchange(socket, secret);
      times.push(performance.now() - due);
      counts[status === '200' ? 'tokens' : 'refused'] += 1;
    }
  });
  await Promise.all([...floods, ...callers]);
  const took = (performance.now() - startedAt) / 1000;
  return { seconds: took, ...counts, p50Ms: quantile(times, 0.5), p99Ms: quantile(times, 0.99) };
}

async function sendBad(
  socket: Socket,
  first: number,
  until: number,
  counts: { floodAnswers: number },
): Promise<void> {
  for (let i = first; performance.now() < until; i += flooding.length) {
    await exchange(socket, bad[i % bad.length]!);
    counts.floodAnswers += 1;
  }
}

/** The status of the answer. */
function exchange(socket: Socket, bytes: Buffer): Promise<string> {
  return new Promise((resolve) => {
    let received = '';
    const onData = (text: string): void => {
      received += text;
      const end = received.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(received.slice(0, end))?.[1]);
      if (received.length < end + 4 + length) return;
      socket.off('data', onData);
      resolve(received.slice(9, 12));
    };
    socket.on('data', onData);
    socket.write(bytes);
  });
}

function request(text: string): Buffer {
  return Buffer.from(
    'POST /marketing/oauth2/token HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n' +
      `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
  );
}
