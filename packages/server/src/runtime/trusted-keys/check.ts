import type { Config } from '../../config/config.ts';
import { AppError } from '../../domain/app-error.ts';
import type { KeySource } from '../../domain/key-source.ts';
import type { Store } from '../../storage/store.ts';
import { createGuardedGet } from './guarded-get.ts';
import { loadKeySet } from './load-key-set.ts';

/**
 * Fetches the keys of a source that a new credential names, so that a typing error shows at once, and stores
 * them for all processes. Throws an AppError with a fault at `member` if there are no keys.
 */
export type KeySourceCheck = (source: KeySource, member: string, nowMs: number) => Promise<void>;

export function createKeySourceCheck(store: Pick<Store, 'write'>, config: Config): KeySourceCheck {
  const get = createGuardedGet(config);
  return async (source, member, nowMs) => {
    const loaded = await loadKeySet(source, get, config).catch((error: Error) => {
      const problem = `No keys can be fetched: ${error.message}.`;
      throw new AppError('invalid', problem, { faults: [{ member, problem }], cause: error });
    });
    const times = { fetchedAt: nowMs, triedAt: nowMs, error: null };
    await store.write(({ keySources }) => keySources.put({ source, ...loaded, ...times }));
  };
}
