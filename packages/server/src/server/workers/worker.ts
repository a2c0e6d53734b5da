import cluster from 'node:cluster';
import type { Logger } from 'pino';
import type { Config } from '../../config/config.ts';
import { SYSTEM_CLOCK } from '../../lib/clock.ts';
import { withPort } from '../../config/load-config.ts';
import { begin, serveFrom } from '../serve.ts';
import { linkToPrimary } from './link.ts';

/** The number of the worker that runs maintenance. */
const MAINTAINS = 1;
/**
 * The primary process is local and does little: if it is slow, the whole machine is, and workers notice at
 * once if it is gone. A process with limits in Redis, on another machine, must not wait for this long.
 */
const LIMITS_DEADLINE_MS_MIN = 1000;

/**
 * Serves as one of the workers of the primary process that started it. Calls `loaded` when the API
 * users are in memory, and resolves when it has stopped.
 */
export async function serveAsWorker(baseConfig: Config, log: Logger, loaded: () => void): Promise<void> {
  // Otherwise node:cluster ends this process abruptly when the primary process is gone.
  if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true;
  const link = linkToPrimary();
  try {
    const { number, port } = await link.start();
    const config = withPort(baseConfig.redisUrl === null ? patient(baseConfig) : baseConfig, port);
    const ownLog = log.child({ worker: number });
    const serving = await serveFrom(await begin(config, ownLog), config, ownLog, {
      transport: link.limits,
      useAssertion: link.useAssertion,
      maintains: number === MAINTAINS,
      worker: String(number),
      clock: SYSTEM_CLOCK,
      allMetrics: link.allMetrics,
    });
    link.ready();
    void serving.loaded.then(loaded);
    const { drain, replaced } = await link.stopRequest;
    await serving.stop(drain, replaced);
  } finally {
    link.close();
  }
}

function patient(config: Config): Config {
  return { ...config, limitsDeadlineMs: Math.max(config.limitsDeadlineMs, LIMITS_DEADLINE_MS_MIN) };
}
