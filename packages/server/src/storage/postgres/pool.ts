import type { PostgresConnection } from './connection.ts';
import { sqlState } from './error.ts';
import { StoreError } from '../store-error.ts';

/** Makes connections as needed, up to a maximum, and keeps idle ones for a while. */
export interface PostgresPool {
  /** Waits up to `waitMs` for a free connection. Throws a StoreError. */
  acquire(): Promise<PostgresConnection>;
  release(connection: PostgresConnection): void;
  /** Ends idle connections: they may be as broken as the one that just failed. */
  dropIdle(): void;
  /** Ends all connections, even those in use. */
  close(): void;
}

export interface PoolSettings {
  max: number;
  waitMs: number;
  connect: () => Promise<PostgresConnection>;
}

interface Waiter {
  receive(connection: PostgresConnection): void;
  fail(error: Error): void;
}

const IDLE_MS = 30_000;

export function createPool({ max, waitMs, connect }: PoolSettings): PostgresPool {
  const all = new Set<PostgresConnection>();
  /** The connection used last is taken first, so that the others grow old and are ended. */
  let idle: { connection: PostgresConnection; sinceMs: number }[] = [];
  const waiting = new Set<Waiter>();
  let connecting = 0;
  let closed = false;

  const sweep = setInterval(() => {
    const old = performance.now() - IDLE_MS;
    for (const { connection, sinceMs } of idle) if (sinceMs < old) connection.end();
  }, IDLE_MS / 3);
  sweep.unref();

  function next(): Waiter | undefined {
    for (const waiter of waiting) {
      waiting.delete(waiter);
      return waiter;
    }
    return undefined;
  }

  function forget(connection: PostgresConnection): void {
    all.delete(connection);
    idle = idle.filter((one) => one.connection !== connection);
    if (waiting.size > 0) void grow();
  }

  /** Makes a connection for a waiter, if the maximum allows one more. */
  async function grow(): Promise<void> {
    if (closed || all.size + connecting >= max || connecting >= waiting.size) return;
    connecting += 1;
    try {
      const connection = await connect();
      all.add(connection);
      connection.onEnd(() => forget(connection));
      if (closed) connection.end();
      else hand(connection);
    } catch (error) {
      // If the server has no connection left, the waiter gets the next one that is released.
      if (all.size > 0 && allAreTaken(error as Error)) return;
      next()?.fail(error as Error);
    } finally {
      connecting -= 1;
    }
    if (waiting.size > connecting) void grow();
  }

  function hand(connection: PostgresConnection): void {
    if (connection.broken()) return;
    const waiter = next();
    if (waiter !== undefined) waiter.receive(connection);
    else idle.push({ connection, sinceMs: performance.now() });
  }

  return {
    acquire() {
      if (closed) return Promise.reject(closedError());
      for (let one = idle.pop(); one !== undefined; one = idle.pop()) {
        if (!one.connection.broken()) return Promise.resolve(one.connection);
      }
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(waiter);
          const text = `All ${max} connections to PostgreSQL are busy since ${waitMs} ms: try again, or raise MINTMARK_POSTGRES_CONNECTIONS.`;
          reject(new StoreError('unavailable', text));
        }, waitMs);
        const waiter: Waiter = {
          receive: (connection) => {
            clearTimeout(timer);
            resolve(connection);
          },
          fail: (error) => {
            clearTimeout(timer);
            reject(error);
          },
        };
        waiting.add(waiter);
        void grow();
      });
    },
    release: hand,
    dropIdle() {
      for (const { connection } of idle) connection.end();
    },
    close() {
      closed = true;
      clearInterval(sweep);
      for (let waiter = next(); waiter !== undefined; waiter = next()) waiter.fail(closedError());
      for (const connection of all) connection.end();
    },
  };
}

/** True if at least one server reported `too_many_connections`. */
function allAreTaken({ cause }: Error): boolean {
  const errors: unknown[] = cause instanceof AggregateError ? cause.errors : [{ cause }];
  return errors.some((error) => sqlState((error as Error).cause) === '53300');
}

function closedError(): StoreError {
  return new StoreError('unavailable', 'The store is closed.');
}
