import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import type { Logger } from 'pino';
import type { Config } from '../../config/config.ts';
import { inTurn } from '../../lib/in-turn.ts';
import { withPort } from '../../config/load-config.ts';
import { begin, firstAdminLink, freePort, type RunningServer } from '../serve.ts';
import { createPlace, type WorkerPlace } from './place.ts';
import { createRequests, tell } from './requests.ts';

/** The running workers of one command. */
export interface RunningWorkers extends Omit<RunningServer, 'loaded'> {
  /**
   * Replaces the workers one after another; the new ones run the code that is now on disk. False: the server
   * is stopping.
   */
  restart(): Promise<boolean>;
  /** Ends all workers at once, even in the middle of requests. */
  kill(): void;
}

/** A worker that takes this much longer to stop than the settings allow is killed. */
const STOP_MARGIN_MS = 8000;

/** Prepares the store for a start, and starts the workers. No worker keeps running if it throws. */
export async function serveWithWorkers(baseConfig: Config, log: Logger): Promise<RunningWorkers> {
  const config = withPort(baseConfig, await freePort(baseConfig));
  const begun = await begin(config, log, { watch: false });
  const workers = createWorkers(config, log);
  try {
    await workers.start();
    const firstAdmin = await firstAdminLink(begun.store, config);
    await begun.store.close();
    return { config, first: begun.first, firstAdmin, ...workers };
  } catch (error) {
    workers.kill();
    await begun.store.close();
    throw error;
  }
}

type Workers = Pick<RunningWorkers, 'stop' | 'restart' | 'kill'> & { start(): Promise<void> };

function createWorkers(config: Config, log: Logger): Workers {
  // Every worker accepts connections without the primary process. Connections that wait are in the system's
  // own queue, which has a bound (docs/decisions/094).
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  const alive = new Set<Worker>();
  let replaced = 0;
  let stopping: Promise<void> | undefined;

  const serving = () => places.map((workerPlace) => workerPlace.worker()).filter((worker) => worker !== null);
  const surroundings = {
    port: config.port,
    log,
    alive,
    requests: createRequests({ serving, replaced: () => replaced }, config),
    isStopping: () => stopping !== undefined,
    ended: () => void (replaced += 1),
  };
  const places = Array.from({ length: config.workers }, (_, i): WorkerPlace =>
    createPlace(i + 1, surroundings),
  );

  async function restartAll(): Promise<void> {
    for (const workerPlace of places) {
      if (stopping !== undefined) return;
      if (workerPlace.worker() === null) continue; // a worker with the new code is starting there
      const old = await workerPlace.fill();
      if (old === null) continue;
      tell(old, { kind: 'stop', drain: false, replaced: true });
      // Wait before the next start, so that at most one extra worker is in memory.
      await gone(old, config.shutdownTimeoutMs);
    }
  }

  const restarts = inTurn(restartAll);

  async function restart(): Promise<boolean> {
    try {
      await restarts.run();
    } catch (error) {
      if (stopping === undefined) throw error;
    }
    return stopping === undefined;
  }

  async function stopAll(drain: boolean): Promise<void> {
    const all = Array.from(alive);
    for (const worker of all) tell(worker, { kind: 'stop', drain, replaced: false });
    const withinMs = config.shutdownTimeoutMs + (drain ? config.drainMs : 0);
    await Promise.all(all.map(async (worker) => await gone(worker, withinMs)));
  }

  return {
    restart,
    async start() {
      // Start the first worker alone: a fault is then logged only once, and the others can use its compile
      // cache.
      const [first, ...others] = places;
      await first?.fill();
      await Promise.all(others.map(async (workerPlace) => await workerPlace.fill()));
    },
    stop: ({ drain } = { drain: false }) => (stopping ??= stopAll(drain)),
    kill: () => {
      for (const worker of alive) worker.process.kill('SIGKILL');
    },
  };
}

/** Waits until the worker has ended, and kills it if that takes too long. */
async function gone(worker: Worker, withinMs: number): Promise<void> {
  if (worker.isDead()) return;
  const timer = setTimeout(() => worker.process.kill('SIGKILL'), withinMs + STOP_MARGIN_MS);
  await once(worker, 'exit');
  clearTimeout(timer);
}
