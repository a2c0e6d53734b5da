import type { Worker } from 'node:cluster';
import type { Config } from '../../config/config.ts';
import { USED_ASSERTIONS_HELP } from '../../runtime/usage/metrics.ts';
import { memoryQuotas } from '../../storage/memory/counters.ts';
import { usedAssertionsInMemory } from '../../storage/memory/used-assertions.ts';
import { limitsForWorkers } from './limits.ts';
import type { ToPrimary, ToWorker } from './messages.ts';
import { createMetricsOfAll } from './metrics.ts';

/** Handles what a worker sends to the primary process while it serves. */
export type Requests = (worker: Worker, message: ToPrimary) => void;

export interface WorkersNow {
  /** The workers that serve. */
  serving(): Worker[];
  /** How many workers ended unexpectedly and were replaced. */
  replaced(): number;
}

export function createRequests(
  { serving, replaced }: WorkersNow,
  { limiterKeysMax, usedAssertionsMax }: Pick<Config, 'limiterKeysMax' | 'usedAssertionsMax'>,
): Requests {
  const count = limitsForWorkers(limiterKeysMax);
  const countToken = memoryQuotas(limiterKeysMax);
  const assertions = usedAssertionsInMemory(usedAssertionsMax);
  const metrics = createMetricsOfAll({
    workers: serving,
    ask: (worker, request) => tell(worker, { kind: 'tell metrics', request }),
    own: () => ownMetrics(serving().length, replaced(), assertions.size()),
  });

  async function tellMetrics(worker: Worker, request: number): Promise<void> {
    tell(worker, { kind: 'all metrics', request, text: await metrics.gather() });
  }

  return (worker, message) => {
    switch (message.kind) {
      case 'count':
        return tell(worker, { kind: 'counted', batch: message.batch, counts: count(message) });
      case 'count token': {
        const { request, call } = message;
        return tell(worker, { kind: 'token counted', request, tokens: countToken(call) });
      }
      case 'use assertion': {
        const { request, key, untilMs } = message;
        const use = assertions.use(key, untilMs, Date.now());
        return tell(worker, { kind: 'assertion used', request, use });
      }
      case 'metrics':
        return metrics.answered(worker, message.request, message.text);
      case 'ask for metrics':
        return void tellMetrics(worker, message.request);
      case 'hello':
      case 'starting':
      case 'ready':
        return undefined; // `place.ts` handles these
    }
  };
}

/** Sends nothing to a worker that has just ended. */
export function tell(worker: Worker, message: ToWorker): void {
  if (worker.isConnected()) worker.send(message, () => undefined);
}

function ownMetrics(workers: number, replaced: number, usedAssertions: number): string {
  return `# HELP mintmark_workers Worker processes that serve.
# TYPE mintmark_workers gauge
mintmark_workers ${workers}

# HELP mintmark_workers_replaced_total Workers that ended by themselves and were replaced.
# TYPE mintmark_workers_replaced_total counter
mintmark_workers_replaced_total ${replaced}

# HELP mintmark_used_assertions ${USED_ASSERTIONS_HELP}
# TYPE mintmark_used_assertions gauge
mintmark_used_assertions ${usedAssertions}
`;
}
