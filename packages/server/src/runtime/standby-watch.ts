import type { Logger } from 'pino';
import { STANDBY_HANGS_MS } from '../storage/postgres/standby.ts';
import type { Store } from '../storage/store.ts';

/** Detects that changes wait for a hanging synchronous standby. Tokens are still issued then. */
export interface StandbyWatch {
  /** Seconds that the oldest commit has been waiting; 0 also if that is unknown. */
  waitSeconds(): number;
  hangs(): boolean;
  start(): void;
  stop(): void;
}

const ASK_MS = 2000;

export function createStandbyWatch(
  { standbyWaitMs }: Pick<Store, 'standbyWaitMs'>,
  log: Logger,
): StandbyWatch {
  let waitMs = 0;
  let hung = false;
  let asking = false;
  let timer: NodeJS.Timeout | undefined;
  const hangs = () => waitMs > STANDBY_HANGS_MS;

  async function ask(): Promise<void> {
    if (asking) return;
    asking = true;
    // The store is out of reach, which is logged elsewhere: the state of the standby is unknown.
    waitMs = await standbyWaitMs().catch(() => 0);
    asking = false;
    if (hangs() === hung) return;
    hung = hangs();
    if (hung) {
      log.error(
        { waitSeconds: waitMs / 1000 },
        'PostgreSQL waits for a synchronous standby that hangs: tokens are issued, changes and usage wait',
      );
    } else log.info('PostgreSQL waits for no synchronous standby any more');
  }

  return {
    waitSeconds: () => waitMs / 1000,
    hangs,
    start() {
      timer = setInterval(() => void ask(), ASK_MS);
      timer.unref();
    },
    stop: () => clearInterval(timer),
  };
}
