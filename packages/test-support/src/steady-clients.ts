import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Callers that keep requesting tokens over open connections and reconnect after `Connection: close`. */
export interface SteadyClients {
  /** Stops them all. */
  stop(): Promise<SteadyResult>;
  issued(): number;
  /** The 99th percentile of the answers since the last call, in milliseconds. */
  lapP99Ms(): number;
}

/** Where a caller's next request goes, as a load balancer decides. */
export interface Targets {
  next(): number;
  serves(port: number): boolean;
}

export interface SteadyResult {
  issued: number;
  /** Statuses of answers without a token. */
  refused: number[];
  /** Connections that ended within a request. */
  broken: number;
  /** Connections that failed to open. */
  notConnected: number;
  slowestMs: number;
}

const PAUSE_MS = 5;
/** After this time a connection counts as broken. */
const ANSWER_MS = 20_000;

export function steadyClients(to: number | Targets, form: string, count: number): SteadyClients {
  const targets = typeof to === 'number' ? { next: () => to, serves: () => true } : to;
  let lap: number[] = [];
  const result: SteadyResult = { issued: 0, refused: [], broken: 0, notConnected: 0, slowestMs: 0 };
  const state = { over: false };
  const request = Buffer.from(
    'POST /marketing/oauth2/token HTTP/1.1\r\nHost: localhost\r\n' +
      `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${form.length}\r\n\r\n${form}`,
  );

  async function goOn(): Promise<void> {
    let socket: Socket | null = null;
    let port = 0;
    while (!state.over) {
      if (socket !== null && !targets.serves(port)) {
        socket.destroy();
        socket = null;
      }
      if (socket === null) {
        port = targets.next();
        socket = await connected(port);
      }
      if (socket === null) continue;
      const startedAt = performance.now();
      const answer = await ask(socket, request);
      if (answer === null) {
        result.broken += 1;
        socket = null;
        continue;
      }
      const tookMs = performance.now() - startedAt;
      lap.push(tookMs);
      result.slowestMs = Math.max(result.slowestMs, tookMs);
      if (answer.startsWith('HTTP/1.1 200')) result.issued += 1;
      else result.refused.push(Number(answer.slice(9, 12)));
      if (/^connection: close/im.test(answer)) {
        socket.destroy();
        socket = null;
      }
      await sleep(PAUSE_MS);
      if (socket?.readyState === 'closed') socket = null; // ended by the server between two requests
    }
    socket?.destroy();
  }

  async function connected(port: number): Promise<Socket | null> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.on('error', () => undefined);
    try {
      await once(socket, 'connect');
      return socket;
    } catch {
      result.notConnected += 1;
      await sleep(PAUSE_MS);
      return null;
    }
  }

  const all = Promise.all(Array.from({ length: count }, goOn));
  return {
    issued: () => result.issued,
    lapP99Ms() {
      const sorted = lap.toSorted((a, b) => a - b);
      lap = [];
      return sorted[Math.floor(sorted.length * 0.99)] ?? 0;
    },
    async stop() {
      state.over = true;
      await all;
      return result;
    },
  };
}

/** The complete answer; null if the connection ended early. */
function ask(socket: Socket, request: Buffer): Promise<string | null> {
  return new Promise((resolve) => {
    let text = '';
    const done = (answer: string | null) => {
      socket.off('data', take);
      socket.off('close', ended);
      clearTimeout(timer);
      resolve(answer);
    };
    const timer = setTimeout(() => socket.destroy(), ANSWER_MS);
    const take = (chunk: Buffer) => {
      text += chunk.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1]);
      if (end >= 0 && text.length >= end + 4 + length) done(text);
    };
    const ended = () => done(null);
    socket.on('data', take);
    socket.once('close', ended);
    if (socket.destroyed) ended();
    else socket.write(request);
  });
}
