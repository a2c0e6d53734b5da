import type { PostgresConnection } from './connection.ts';
import type { Connect } from './primary.ts';

/** NOTIFY on this channel wakes every process that follows the store. */
export const CHANNEL = 'mintmark';

/** Interval of heartbeats: a frozen server process is as silent as one without notifications. */
const HEARTBEAT_MS = 5000;
const HEARTBEAT_DEADLINE_MS = 2000;
const RETRY_MS = 500;

export interface PostgresListener {
  stop(): void;
}

/**
 * Calls `wake` soon after another process has changed something, at most every `leastMs`. A hint only: it may
 * be missed.
 */
export function listen(connect: Connect, wake: () => void, leastMs: number): PostgresListener {
  let connection: PostgresConnection | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const gentle = atMostEvery(leastMs, wake);

  function later(ms: number, action: () => Promise<void>): void {
    clearTimeout(timer);
    if (stopped) return;
    timer = setTimeout(() => void action(), ms);
    timer.unref();
  }

  async function start(): Promise<void> {
    try {
      connection = await connect();
      if (stopped) return connection.end();
      connection.onEnd(() => later(RETRY_MS, start));
      connection.onNotification(gentle.call);
      await connection.query(`listen ${CHANNEL}`, [], HEARTBEAT_DEADLINE_MS);
      gentle.call(); // notifications before `listen` are lost
      later(HEARTBEAT_MS, beat);
    } catch {
      // The poll of the change feed has the same fault and reports it.
      connection?.end();
      later(RETRY_MS, start);
    }
  }

  async function beat(): Promise<void> {
    try {
      await connection?.query('select 1', [], HEARTBEAT_DEADLINE_MS);
      later(HEARTBEAT_MS, beat);
    } catch {
      connection?.end(); // its end starts a new connection
    }
  }

  void start();
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
      gentle.stop();
      connection?.end();
    },
  };
}

/**
 * Runs `action` at once, and then at most every `ms`: many calls in a row run it once at the start and once
 * at the end.
 */
function atMostEvery(ms: number, action: () => void): { call(): void; stop(): void } {
  let pause: NodeJS.Timeout | undefined;
  let pending = false;
  function call(): void {
    if (pause !== undefined) {
      pending = true;
      return;
    }
    action();
    pause = setTimeout(() => {
      pause = undefined;
      if (!pending) return;
      pending = false;
      call();
    }, ms);
    pause.unref();
  }
  return { call, stop: () => clearTimeout(pause) };
}
