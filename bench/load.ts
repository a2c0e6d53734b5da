// Load on one server from raw sockets: a fixed number of requests over a fixed number of connections, then a check that
// every token differs and verifies. Run as its own process; prints one line of JSON.
import { createPublicKey, verify, type webcrypto } from 'node:crypto';
import { connect } from 'node:net';
import { secretAt, clientIdAt } from './population.ts';

export interface LoadOptions {
  port: number;
  connections: number;
  requests: number;
  /** One API user, or this many seeded ones picked at random. */
  apiUsers: number;
  /** Of these the ones with a client id below this one. */
  below?: string;
  clientId: string;
  clientSecret: string;
  /** Where the key set is. */
  jwksUrl: string;
}

export interface LoadResult {
  requests: number;
  seconds: number;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  distinct: number;
  verified: number;
}

const options = JSON.parse(process.argv[2] ?? '{}') as LoadOptions;
const latencies = new Float64Array(options.requests);
const tokens: string[] = [];
/** Made before the load begins, and alike for one API user and for many: their making must not disturb the server's core. */
const requests = Array.from({ length: options.requests }, request);
let sent = 0;
let done = 0;

const startedAt = performance.now();
await Promise.all(Array.from({ length: options.connections }, runConnection));
const seconds = (performance.now() - startedAt) / 1000;
latencies.sort();
const result: LoadResult = {
  requests: done,
  seconds,
  perSecond: done / seconds,
  p50Ms: latencies[Math.floor(done * 0.5)] ?? 0,
  p99Ms: latencies[Math.floor(done * 0.99)] ?? 0,
  distinct: new Set(
    tokens.map(
      (token) =>
        (JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { jti: string }).jti,
    ),
  ).size,
  verified: await verifyAll(),
};
console.log(JSON.stringify(result));

function runConnection(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(options.port, '127.0.0.1');
    socket.setNoDelay(true).setEncoding('latin1');
    let received = '';
    let sentAt = 0;
    const next = () => {
      if (sent === options.requests) {
        socket.end();
        return resolve();
      }
      sentAt = performance.now();
      socket.write(requests[sent] as Buffer);
      sent += 1;
    };
    socket.on('connect', next);
    socket.on('error', reject);
    socket.on('data', (text: string) => {
      received += text;
      const end = received.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(received.slice(0, end))?.[1]);
      if (received.length < end + 4 + length) return;
      latencies[done] = performance.now() - sentAt;
      done += 1;
      const token = /"access_token":"([^"]+)"/.exec(received)?.[1];
      if (token === undefined) return reject(new Error(`No token: ${received}`));
      tokens.push(token);
      received = '';
      next();
    });
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
