import cluster, { type Worker } from 'node:cluster';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { AppError } from '../../domain/app-error.ts';
import type { ToPrimary } from './messages.ts';
import { tell, type Requests } from './requests.ts';

/** A place for a worker: when the one that is in it ends, another comes. */
export interface Place {
  readonly number: number;
  /** Null while there is none. */
  worker(): Worker | null;
  /**
   * Starts a worker, and puts it into the place once it is ready; gives back the one that was there. Throws an AppError after
   * so many attempts.
   */
  fill(): Promise<Worker | null>;
}

export interface PlaceSurroundings {
  port: number;
  log: Logger;
  /** All worker processes there are, in a place or not. */
  alive: Set<Worker>;
  requests: Requests;
  /** From when on nobody is replaced. */
  isStopping(): boolean;
  /** A worker ended by itself. */
  ended(): void;
}

/** So often in a row a worker may end before it was ready: then a start, or a restart, is given up. */
const ATTEMPTS_MAX = 3;
/** One that starts and says nothing for so long hangs. */
const SILENT_MS = 60_000;
/** One that ends is replaced at once if it served for so long … */
const STEADY_MS = 10_000;
/** … and else, from the second on, after a wait that is twice as long each time. */
const WAIT_MS = 100;
const WAIT_MAX_MS = 5000;

export function createPlace(number: number, surroundings: PlaceSurroundings): Place {
  const { port, log, alive, requests, isStopping } = surroundings;
  let current: Worker | null = null;
  let readyAt = 0;
  let endedSoon = 0;
  let filling: Promise<Worker | null> | undefined;

  /** Resolves when the worker is ready to serve; rejects where it ends before. */
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
        if (attempt < ATTEMPTS_MAX) await sleep(WAIT_MS * 2 ** attempt);
        // Asked after the wait: nobody would tell one that is started now to stop.
        if (attempt === ATTEMPTS_MAX || isStopping()) throw notStarted(number, message);
      }
    }
  }

  /** The worker that served has ended, and nobody told it to. */
  function ended(code: number, signal: string | null): void {
    current = null;
    if (isStopping()) return;
    log.error({ worker: number, code, signal }, 'a worker has ended, and is replaced');
    endedSoon = performance.now() - readyAt < STEADY_MS ? endedSoon + 1 : 0;
    surroundings.ended();
    void replace();
  }

  async function replace(): Promise<void> {
    // The first time at once: somebody may have killed it.
    if (endedSoon > 1) await sleep(Math.min(WAIT_MAX_MS, WAIT_MS * 2 ** endedSoon));
    while (isEmpty()) {
      try {
        await fill();
      } catch {
        await sleep(WAIT_MAX_MS); // said in `fillOnce`; the others serve
      }
    }
  }

  function isEmpty(): boolean {
    return current === null && !isStopping();
  }

  async function fill(): Promise<Worker | null> {
    filling ??= fillOnce().finally(() => {
      filling = undefined;
    });
    return await filling;
  }

  return { number, worker: () => current, fill };
}

function notStarted(number: number, message: string): AppError {
  return new AppError(
    'conflict',
    `Worker ${number} could not start, ${ATTEMPTS_MAX} times: ${message}. What was wrong is said above.`,
  );
}
