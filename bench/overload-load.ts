// Open-loop load: requests at a fixed rate, independent of the responses, over many connections. A request
// without an idle connection waits, and its time counts from its due time. Runs as its own process: reads a
// line of JSON per step and prints one for each.
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

export interface OverloadOptions {
  port: number;
  connections: number;
  clientId: string;
  clientSecret: string;
}

export interface Step {
  /** 0: at full speed over `closedConnections`. */
  perSecond: number;
  closedConnections?: number;
  seconds: number;
}

export interface StepResult {
  perSecond: number;
  /** All responses, also those before the measured time. */
  all: number;
  accepted: number;
  refused: number;
  failed: number;
  /** Null without responses. */
  acceptedP50Ms: number | null;
  acceptedP99Ms: number | null;
  acceptedMaxMs: number | null;
  refusedP99Ms: number | null;
}

const CLOSING_BRACE = 0x7d;
const LEAD_MS = 1000;
/** Time to wait for outstanding responses. */
const DRAIN_MS = 10_000;

const options = JSON.parse(process.argv[2] ?? '{}') as OverloadOptions;
const body = `client_id=${options.clientId}&client_secret=${options.clientSecret}`;
const request = Buffer.from(
  'POST /marketing/oauth2/token HTTP/1.1\r\nHost: localhost\r\n' +
    `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
);

interface Connection {
  socket: Socket;
  dueAt: number;
}

const idle: Connection[] = [];
const due: number[] = [];
let accepted: number[] = [];
let refused: number[] = [];
let failed = 0;
let all = 0;
let closedUntil = 0;
/** Requests due before this are a burst, not yet overload. */
let countFrom = 0;

await Promise.all(Array.from({ length: options.connections }, open));
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await run(JSON.parse(line) as Step)));
}

async function run({ perSecond, seconds, closedConnections = 0 }: Step): Promise<StepResult> {
  [accepted, refused, failed, all] = [[], [], 0, 0];
  const startedAt = performance.now();
  countFrom = startedAt + LEAD_MS;
  const endsAt = countFrom + seconds * 1000;
  if (perSecond === 0) await runClosed(closedConnections, endsAt);
  else await runOpen(1000 / perSecond, startedAt, endsAt);
  const tookMs = performance.now() - countFrom;
  const drainUntil = performance.now() + DRAIN_MS;
  while (idle.length < options.connections && performance.now() < drainUntil) await turn();
  return {
    perSecond: ((accepted.length + refused.length) * 1000) / tookMs,
    all,
    accepted: accepted.length,
    refused: refused.length,
    failed,
    acceptedP50Ms: rank(accepted, 0.5),
    acceptedP99Ms: rank(accepted, 0.99),
    acceptedMaxMs: rank(accepted, 1),
    refusedP99Ms: rank(refused, 0.99),
  };
}

/** Each connection sends its next request when a response arrives. */
async function runClosed(connections: number, endsAt: number): Promise<void> {
  closedUntil = endsAt;
  for (let i = 0; i < connections; i++) send(performance.now());
  while (performance.now() < endsAt) await turn();
}

async function runOpen(everyMs: number, startedAt: number, endsAt: number): Promise<void> {
  let dueAt = startedAt;
  for (let now = startedAt; now < endsAt; now = performance.now()) {
    for (; dueAt <= now; dueAt += everyMs) send(dueAt);
    await turn();
  }
}

/** Does not sleep, because waking this process would cost the server CPU time. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function send(dueAt: number): void {
  const connection = idle.shift(); // the one that has been idle longest: all are used in turn
  if (connection === undefined) due.push(dueAt);
  else sendOn(connection, dueAt);
}

function sendOn(connection: Connection, dueAt: number): void {
  connection.dueAt = dueAt;
  connection.socket.write(request);
}

function open(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: options.port, host: '127.0.0.1', noDelay: true });
    const connection: Connection = { socket, dueAt: 0 };
    socket.on('connect', () => {
      idle.push(connection);
      resolve();
    });
    socket.on('error', reject);
    socket.on('close', () => (failed += 1));
    let waiting: Buffer | null = null;
    socket.on('data', (chunk: Buffer) => {
      const answer: Buffer = waiting === null ? chunk : Buffer.concat([waiting, chunk]);
      // Each response is a JSON object. Its length is not checked: this process must cost less than the
      // server.
      const isWhole = answer.at(-1) === CLOSING_BRACE;
      waiting = isWhole ? null : answer;
      if (isWhole) answered(connection, answer.toString('latin1', 9, 12));
    });
  });
}

function answered(connection: Connection, status: string): void {
  const now = performance.now();
  all += 1;
  const tookMs = now - connection.dueAt;
  if (connection.dueAt < countFrom) {
    // not counted
  } else if (status === '200') accepted.push(tookMs);
  else if (status === '503') refused.push(tookMs);
  else failed += 1;
  if (now < closedUntil) return sendOn(connection, now);
  const next = due.shift();
  if (next === undefined) idle.push(connection);
  else sendOn(connection, next);
}

function rank(values: number[], part: number): number | null {
  values.sort((a, b) => a - b);
  return values[Math.min(values.length - 1, Math.floor(values.length * part))] ?? null;
}
