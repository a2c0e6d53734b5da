import type { Logger } from 'pino';
import type { Denial } from '../../domain/denial.ts';
import type { Caller } from '../../domain/caller.ts';
import type { KnownApiUser } from '../../domain/known-api-user.ts';

/** Logs refusals for the operator, with the exact reason: in batches, and not more than so many a second. */
export interface RefusalLog {
  note(denial: Denial, caller: Caller, known: KnownApiUser | undefined): void;
  flush(): void;
  start(): void;
  stop(): void;
}

const FLUSH_MS = 1000;

interface Refusal {
  denied: string;
  reason: string | undefined;
  clientId: string;
  address: string;
  traceId: string;
}

export function createRefusalLog(log: Logger, loggedMax: number): RefusalLog {
  let refusals: Refusal[] = [];
  let others = 0;
  let timer: NodeJS.Timeout | undefined;

  function flush(): void {
    for (const refusal of refusals) log.info(refusal, 'request refused');
    if (others > 0) log.info({ others }, 'more requests refused, not logged one by one');
    refusals = [];
    others = 0;
  }

  return {
    note(denial, caller, known) {
      if (refusals.length >= loggedMax) {
        others += 1;
        return;
      }
      refusals.push({
        denied: denial.denied,
        reason: 'reason' in denial ? denial.reason : 'policy' in denial ? denial.policy : undefined,
        // What an unknown caller sent is not quoted: whoever mixes up id and secret sends the secret as the id.
        clientId: known?.clientId ?? '(unknown)',
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
