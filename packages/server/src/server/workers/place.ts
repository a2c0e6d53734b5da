import cluster, { type Worker } from 'node:cluster';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { AppError } from '../../domain/app-error.ts';
import type { ToPrimary } from './messages.ts';
import { backoffMs } from '../../lib/backoff.ts';
import { shareRun } from '../../lib/single-flight.ts';
import { tell, type Requests } from './requests.ts';

/** A place for a worker. When its worker ends, a new one takes over the place. */
export interface WorkerPlace {
  readonly number: number;
  /** Null while the place is empty. */
  worker(): Worker | null;
  /**
   * Starts a worker, and puts it into the place once it is ready. Returns the worker that was in the place
   * before. Throws an AppError after `ATTEMPTS_MAX` failed attempts.
   */
  fill(): Promise<Worker | null>;
}

export interface PlaceSurroundings {
  port: number;
  log: Logger;
  /** All worker processes, in a place or not. */
  alive: Set<Worker>;
  requests: Requests;
  /** True once workers that end are no longer replaced. */
  isStopping(): boolean;
  /** Called when a worker ends unexpectedly. */
  ended(): void;
}

/** A start or restart fails after this many workers in a row that end before they are ready. */
const ATTEMPTS_MAX = 3;
/** A starting worker that sends nothing for this long hangs, and is killed. */
const SILENT_MS = 60_000;
/** A worker that served for this long counts as steady: if it ends, it is replaced at once. */
const STEADY_MS = 10_000;
/** The wait before the next start, after repeated failures. */
const WAIT = { firstMs: 200, maxMs: 5000 };

export function createPlace(number: number, surroundings: PlaceSurroundings): WorkerPlace {
  const { port, log, alive, requests, isStopping } = surroundings;
  let current: Worker | null = null;
  let readyAt = 0;
  let endedSoon = 0;

  const fill = shareRun(fillOnce);

  /** Resolves when the worker is ready to serve; rejects if it ends before. */
  async function start(): Promise<Worker> {
    const worker = cluster.fork();
    alive.add(worker);
    const ready = Promise.withResolvers<void>();
    const timer = setTimeout(() => worker.process.kill('SIGKILL'), SILENT_MS);
    worker.on('message', (message: ToPrimary) => {
      if (message.kind === 'hello') tell(worker, { kind: 'start', number, port });
      else if (message.kind === 'starting') timer.refresh();
      else if (message.kind === 'ready') ready.resolve();
      else requests(worker, message);
    });
    worker.on('error', (error) => log.error({ worker: number, error: error.message }, 'a worker failed'));
    worker.once('exit', (code, signal) => {
      alive.delete(worker);
      ready.reject(new Error(signal ? `it was ended by ${signal}` : `it ended with exit code ${code}`));
      if (current === worker) ended(code, signal);
    });
    await ready.promise.finally(() => clearTimeout(timer));
    return worker;
  }

  async function fillOnce(): Promise<Worker | null> {
    for (let attempt = 1; ; attempt++) {
      try {
        const worker = await start();
        const old = current;
        current = worker;
        readyAt = performance.now();
        log.info({ worker: number, pid: worker.process.pid }, 'a worker serves');
        return old;
      } catch (error) {
        const { message } = error as Error;
        log.error({ worker: number, attempt, error: message }, 'a worker could not start');
        if (attempt < ATTEMPTS_MAX) await sleep(backoffMs(attempt, WAIT));
        // Check after the wait: a stop would not reach a worker that is started from now on.
        if (attempt === ATTEMPTS_MAX || isStopping()) throw notStarted(number, message);
      }
    }
  }

  /** Handles the end of the worker in the place; replaces it unless the server is stopping. */
  function ended(code: number, signal: string | null): void {
    current = null;
    if (isStopping()) return;
    log.error({ worker: number, code, signal }, 'a worker has ended, and is replaced');
    endedSoon = performance.now() - readyAt < STEADY_MS ? endedSoon + 1 : 0;
    surroundings.ended();
    void replace();
  }

  async function replace(): Promise<void> {
    // No wait the first time: an operator may have killed the worker.
    if (endedSoon > 1) await sleep(backoffMs(endedSoon, WAIT));
    while (isEmpty()) {
      try {
        await fill();
      } catch {
        await sleep(WAIT.maxMs); // `fillOnce` has logged it; the other workers serve
      }
    }
  }

  function isEmpty(): boolean {
    return current === null && !isStopping();
  }

  return { number, worker: () => current, fill };
}

function notStarted(number: number, message: string): AppError {
  return new AppError(
    'conflict',
    `Worker ${number} could not start, ${ATTEMPTS_MAX} times: ${message}. What was wrong is said above.`,
  );
}
