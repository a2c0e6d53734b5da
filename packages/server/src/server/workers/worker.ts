import cluster from 'node:cluster';
import type { Logger } from 'pino';
import type { Config } from '../../config/config.ts';
import { withPort } from '../../config/load-config.ts';
import { begin, serveFrom } from '../serve.ts';
import { linkToPrimary } from './link.ts';

/** One worker does what one process has to do from time to time. */
const MAINTAINS = 1;
/**
 * The primary process is on this machine and does little: when it is slow, everything here is, and when it is gone, this is
 * known at once. Whoever asks another machine must not wait for so long.
 */
const LIMITS_DEADLINE_MS_MIN = 1000;

/** Serves as one of several, for the primary process that started this one; resolves when it has stopped. */
export async function serveAsWorker(asked: Config, log: Logger): Promise<void> {
  // Without it, node:cluster ends this process in the middle of everything when the primary is gone.
  if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true;
  const link = linkToPrimary();
  try {
    const { number, port } = await link.start();
    const config = withPort(asked.redisUrl === null ? patient(asked) : asked, port);
    const ownLog = log.child({ worker: number });
    const serving = await serveFrom(await begin(config, ownLog), config, ownLog, {
      transport: link.limits,
      maintains: number === MAINTAINS,
      worker: String(number),
      allMetrics: link.allMetrics,
    });
    link.ready();
    const { drain, replaced } = await link.told;
    await serving.stop(drain, replaced);
  } finally {
    link.close();
  }
}

function patient(config: Config): Config {
  return { ...config, limitsDeadlineMs: Math.max(config.limitsDeadlineMs, LIMITS_DEADLINE_MS_MIN) };
}
