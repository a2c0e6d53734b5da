import type { Logger } from 'pino';
import type { Directory } from './directory.ts';

/** Loads all API users in the background. */
export interface Loading {
  begin(): void;
  /** Loads all API users again after the feed lost track of the changes. */
  beginAnew(): void;
  stop(): void;
  /** Resolves with the first load that succeeds. */
  loaded: Promise<void>;
}

/** Wait between a failed load of all API users and the next. */
const LOAD_AGAIN_MS = 5000;

/** Loads all API users into memory, and retries if the store fails. */
export function createLoading(
  directory: Pick<Directory, 'load' | 'loadAnew' | 'loading'>,
  log: Pick<Logger, 'warn'>,
): Loading {
  let again: NodeJS.Timeout | undefined;
  let stopped = false;
  const loaded = Promise.withResolvers<void>();

  function begin(): void {
    if (!directory.loading()) start(directory.load);
  }

  function start(load: () => Promise<void>): void {
    clearTimeout(again);
    if (stopped) return;
    load().then(loaded.resolve, (error: Error) => {
      if (stopped) return;
      log.warn(
        { error: error.message },
        'API users are not all in memory: they are looked up one by one, and read again soon',
      );
      clearTimeout(again);
      again = setTimeout(begin, LOAD_AGAIN_MS);
    });
  }

  function stop(): void {
    stopped = true;
    clearTimeout(again);
  }

  return { begin, beginAnew: () => start(directory.loadAnew), stop, loaded: loaded.promise };
}
