import type { Logger } from 'pino';
import type { Config } from './config.ts';
import type { AuthenticatingServices } from './domain/as-api-user.ts';
import type { Denial } from './domain/denial.ts';
import { refusalReason } from './domain/refusal-reason.ts';
import { createRefusalLog } from './refusals.ts';
import type { Store } from './storage/store.ts';
import { createUsageRecorder } from './usage-recorder.ts';

/** Everything that is counted and told of requests. */
export interface Statistics {
  /** What the endpoints for API users call. */
  services: Pick<AuthenticatingServices, 'noteUse' | 'noteRefusal'> & {
    noteAnonymousRefusal(denial: Denial): void;
  };
  start(): void;
  /** Writes what is gathered. */
  stop(): Promise<void>;
}

export function createStatistics(store: Pick<Store, 'recordUsage'>, config: Config, log: Logger): Statistics {
  const usage = createUsageRecorder(store.recordUsage, config, log);
  const refusals = createRefusalLog(log, config.refusalsLoggedMax);
  return {
    services: {
      noteUse: usage.noteUse,
      noteRefusal: (denial, caller, known) => {
        usage.noteRefusal(refusalReason(denial), known, Date.now());
        refusals.note(denial, caller, known);
      },
      noteAnonymousRefusal: (denial) => usage.noteRefusal(refusalReason(denial), undefined, Date.now()),
    },
    start() {
      usage.start();
      refusals.start();
    },
    async stop() {
      refusals.stop();
      await usage.stop();
    },
  };
}
