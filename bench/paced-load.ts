// Load at a fixed rate for the soak test, over raw sockets that reconnect now and then. Unexpected responses
// count as errors. Runs as its own process, prints a line of JSON per second and ends on SIGTERM.
import { connect, type Socket } from 'node:net';
import { clientIdAt, secretAt } from './population.ts';

export interface PacedOptions {
  port: number;
  connections: number;
  /** Requests per second; 0: at full speed. */
  perSecond: number;
  apiUsers: number;
}

export interface Second {
  answered: number;
  /** Counts by unexpected status or connection error. */
  errors: Record<string, number>;
  p50Ms: number;
  p99Ms: number;
  slowestMs: number;
  /** Requests without a connection, because the server is slower than the rate. */
  waiting: number;
}

interface Request {
  bytes: Buffer;
  status: number;
}

const options = JSON.parse(process.argv[2] ?? '{}') as PacedOptions;
const TICK_MS = 10;
/** Requests before a connection closes, as callers' connections do. */
const REQUESTS_PER_CONNECTION = 1000;
/**
 * In this many requests, one has a wrong secret, one an unknown id and one is malformed: their records must
 * not grow.
 */
const ODD_EVERY = 50;

let times: number[] = [];
let errors: Record<string, number> = {};
let answered = 0;
let due = 0;
let made = 0;
const idle: (() => void)[] = [];
/** Requests in progress; those above the number of connections wait in `due`. */
let open = true;

function form(body: string): Buffer {
  return Buffer.from(
    'POST /marketing/oauth2/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n' +
      `Content-Length: ${body.length}\r\n\r\n${body}`,
  );
}

function request(): Request {
  made += 1;
  const i = Math.floor(Math.random() * options.apiUsers);
  if (made % ODD_EVERY === 0)
    return { bytes: form(`client_id=${clientIdAt(i)}&client_secret=wrong${made}`), status: 403 };
  if (made % ODD_EVERY === 1)
    return {
      bytes: form(`client_id=${clientIdAt(options.apiUsers + made)}&client_secret=${secretAt(i)}`),
      status: 403,
    };
  if (made % ODD_EVERY === 2)
    return { bytes: form(`client_id=${clientIdAt(i)}&grant_type=password`), status: 400 };
  return { bytes: form(`client_id=${clientIdAt(i)}&client_secret=${secretAt(i)}`), status: 200 };
}

function failed(what: string): void {
  if (open) errors[what] = (errors[what] ?? 0) + 1;
}

/** Sends due requests one after the other and reconnects after REQUESTS_PER_CONNECTION. */
function runConnection(): void {
  let socket: Socket;
  let received = '';
  let sentAt = 0;
  let expected = 0;
  let left = 0;
  let busy = false;

  function start(): void {
    left = REQUESTS_PER_CONNECTION * (0.5 + Math.random());
    received = '';
    socket = connect(options.port, '127.0.0.1');
    socket.setNoDelay(true).setEncoding('latin1');
    socket.on('connect', next);
    socket.on('data', take);
    socket.on('error', (error: NodeJS.ErrnoException) => failed(error.code ?? error.message));
    socket.on('close', () => {
      if (busy) failed('closed in the middle');
      busy = false;
      const waits = idle.indexOf(next);
      if (waits >= 0) idle.splice(waits, 1);
      if (open) setTimeout(start, left > 0 ? 100 : 0);
    });
  }

  function next(): void {
    if (left <= 0) return void socket.end();
    if (options.perSecond > 0 && due < 1) return void idle.push(next);
    if (socket.destroyed || !socket.writable) return;
    due -= 1;
    left -= 1;
    const { bytes, status } = request();
    [sentAt, expected, busy] = [performance.now(), status, true];
    socket.write(bytes);
  }

  function take(text: string): void {
    received += text;
    const end = received.indexOf('\r\n\r\n');
    if (end < 0) return;
    const length = Number(/content-length: (\d+)/i.exec(received.slice(0, end))?.[1]);
    if (received.length < end + 4 + length) return;
    const status = Number(received.slice(9, 12));
    if (status !== expected) failed(`status ${status} in place of ${expected}`);
    times.push(performance.now() - sentAt);
    answered += 1;
    [received, busy] = ['', false];
    next();
  }

  start();
}

let lastTick = performance.now();
setInterval(() => {
  const now = performance.now();
  due = Math.min(due + ((now - lastTick) / 1000) * options.perSecond, options.perSecond);
  lastTick = now;
  for (let n = Math.min(idle.length, Math.floor(due)); n > 0; n--) idle.shift()?.();
}, TICK_MS);

setInterval(() => {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (q: number) => sorted[Math.floor(sorted.length * q)] ?? 0;
  const second: Second = {
    answered,
    errors,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    slowestMs: sorted.at(-1) ?? 0,
    waiting: Math.max(0, Math.floor(due)),
  };
  console.log(JSON.stringify(second));
  [times, errors, answered] = [[], {}, 0];
}, 1000);

process.on('SIGTERM', () => {
  open = false;
  process.exit(0);
});
for (let i = 0; i < options.connections; i++) runConnection();
