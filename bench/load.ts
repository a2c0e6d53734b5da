// Load on one server over raw sockets, in bursts. Each line of standard input is a number of requests; the
// result is a line of JSON. At the end of input, checks that all tokens differ and verify, and prints that.
// Runs as its own process.
import { createPublicKey, verify, type webcrypto } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { secretAt, clientIdAt } from './population.ts';

export interface LoadOptions {
  port: number;
  connections: number;
  /** Total of all bursts. */
  requests: number;
  /** One API user, or this many random seeded ones. */
  apiUsers: number;
  /** Only client ids below this one. */
  below?: string;
  clientId: string;
  clientSecret: string;
  /** URL of the key set. */
  jwksUrl: string;
}

export interface BurstResult {
  seconds: number;
  latenciesMs: number[];
}

export interface LoadResult {
  distinct: number;
  verified: number;
}

const options = JSON.parse(process.argv[2] ?? '{}') as LoadOptions;
const tokens: string[] = [];
/**
 * Built before the load, alike for one API user and many, so that building does not disturb the server's
 * core.
 */
const requests = Array.from({ length: options.requests }, request);
const sockets: Socket[] = await Promise.all(
  Array.from({ length: options.connections }, async () => {
    const socket = connect(options.port, '127.0.0.1');
    await once(socket, 'connect');
    return socket.setNoDelay(true).setEncoding('latin1');
  }),
);

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await burst(requests.splice(0, Number(line)))));
}
for (const socket of sockets) socket.end();
const result: LoadResult = {
  distinct: new Set(
    tokens.map(
      (token) =>
        (JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { jti: string }).jti,
    ),
  ).size,
  verified: await verifyAll(),
};
console.log(JSON.stringify(result));

async function burst(due: Buffer[]): Promise<BurstResult> {
  const latenciesMs: number[] = [];
  const startedAt = performance.now();
  await Promise.all(sockets.map((socket) => runConnection(socket, due, latenciesMs)));
  return { seconds: (performance.now() - startedAt) / 1000, latenciesMs };
}

function runConnection(socket: Socket, due: Buffer[], latenciesMs: number[]): Promise<void> {
  return new Promise((resolve, reject) => {
    let received = '';
    let sentAt = 0;
    const next = (): void => {
      const bytes = due.pop();
      if (bytes === undefined) {
        socket.removeAllListeners('data').removeAllListeners('error').removeAllListeners('close');
        return resolve();
      }
      sentAt = performance.now();
      socket.write(bytes);
    };
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('The server closed a connection.')));
    socket.on('data', (text: string) => {
      received += text;
      const end = received.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(received.slice(0, end))?.[1]);
      if (received.length < end + 4 + length) return;
      latenciesMs.push(performance.now() - sentAt);
      const token = /"access_token":"([^"]+)"/.exec(received)?.[1];
      if (token === undefined) return reject(new Error(`No token: ${received}`));
      tokens.push(token);
      received = '';
      next();
    });
    next();
  });
}

function request(): Buffer {
  const index = options.apiUsers === 1 ? -1 : picked();
  const id = index < 0 ? options.clientId : clientIdAt(index);
  const secret = index < 0 ? options.clientSecret : secretAt(index);
  const body = `grant_type=client_credentials&client_id=${id}&client_secret=${secret}`;
  return Buffer.from(
    'POST /marketing/oauth2/token HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n' +
      `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
}

function picked(): number {
  for (;;) {
    const index = Math.floor(Math.random() * options.apiUsers);
    if (options.below === undefined || clientIdAt(index) < options.below) return index;
  }
}

async function verifyAll(): Promise<number> {
  const { keys } = (await (await fetch(options.jwksUrl)).json()) as { keys: webcrypto.JsonWebKey[] };
  const key = createPublicKey({ key: keys[0] ?? {}, format: 'jwk' });
  let verified = 0;
  for (const token of tokens) {
    const dot = token.lastIndexOf('.');
    const signature = Buffer.from(token.slice(dot + 1), 'base64url');
    const signed = Buffer.from(token.slice(0, dot));
    if (verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature)) verified += 1;
  }
  return verified;
}
