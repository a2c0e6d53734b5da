import type { Logger } from 'pino';
import type { Refusal } from '../../domain/refusal.ts';

/** Logs refusals for the operator with their exact reason: in batches, up to `loggedMax` a second. */
export interface RefusalLog {
  /** Logs nothing for a refusal without a caller. */
  record(refusal: Refusal): void;
  flush(): void;
  start(): void;
  stop(): void;
}

const FLUSH_MS = 1000;

interface LogLine {
  denied: string;
  reason: string | undefined;
  clientId: string;
  address: string;
  traceId: string;
}

export function createRefusalLog(log: Logger, loggedMax: number): RefusalLog {
  let lines: LogLine[] = [];
  let others = 0;
  let timer: NodeJS.Timeout | undefined;

  function flush(): void {
    for (const line of lines) log.info(line, 'request refused');
    if (others > 0) log.info({ others }, 'more requests refused, not logged one by one');
    lines = [];
    others = 0;
  }

  return {
    record({ denial, caller, apiUser }) {
      if (caller === null) return;
      if (lines.length >= loggedMax) {
        others += 1;
        return;
      }
      lines.push({
        denied: denial.denied,
        reason: 'reason' in denial ? denial.reason : 'policy' in denial ? denial.policy : undefined,
        // Never log the text that an unknown caller sent: a caller that mixes up id and secret sends its
        // secret as the id.
        clientId: apiUser?.clientId ?? '(unknown)',
        address: caller.address,
        traceId: caller.traceId,
      });
    },
    flush,
    start() {
      timer = setInterval(flush, FLUSH_MS);
    },
    stop() {
      clearInterval(timer);
      flush();
    },
  };
}
