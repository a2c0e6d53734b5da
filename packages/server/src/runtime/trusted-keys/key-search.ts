import type { Config } from '../../config/config.ts';
import type { TrustedKeySets } from '../../domain/key-source.ts';
import type { Store } from '../../storage/store.ts';
import { createGuardedGet } from './guarded-get.ts';
import { loadKeySet } from './load-key-set.ts';
import { createSourceKeys } from './source-keys.ts';
import { createStoredKeys } from './stored-keys.ts';

/** Searches for keys without a running server: in the store, and then at their source. */
export function createKeySearch(store: Store, config: Config): TrustedKeySets['find'] {
  const get = createGuardedGet(config);
  const log = { info: () => undefined, warn: () => undefined };
  const parts = {
    load: async (source: Parameters<typeof loadKeySet>[0]) => await loadKeySet(source, get, config),
    stored: createStoredKeys(store, log),
    waiters: { count: 0 },
    config,
    log,
    now: Date.now,
  };
  return async (source, kid, algorithm, nowMs) => {
    const row = await store.keySources.find(source);
    return await createSourceKeys(source, parts, row).find(kid, algorithm, nowMs);
  };
}
