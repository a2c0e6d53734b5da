import type { Logger } from 'pino';
import { keySourceId } from '../../domain/key-source.ts';
import { valueWithin } from '../../lib/deadline.ts';
import type { Store } from '../../storage/store.ts';
import type { KeySourceRows } from '../../storage/tables/key-source.ts';
import type { StoredKeys } from './key-fetch.ts';

export interface KeySourceStore {
  keySources: KeySourceRows;
  write: Store['write'];
}

/** A read of the store that takes longer is dropped: the keys are fetched without it. */
const READ_MS = 500;

/** Reads and writes key sources in the store. A store that fails or is slow stops no caller. */
export function createStoredKeys(store: KeySourceStore, log: Pick<Logger, 'warn'>): StoredKeys {
  function write(work: (rows: KeySourceRows) => Promise<void>): void {
    const writing = store.write((transaction) => work(transaction.keySources));
    writing.catch((error: Error) => log.warn({ error: error.message }, 'keys of others were not stored'));
  }

  return {
    async find(source) {
      const reading = store.keySources.find(source).catch(() => undefined);
      return await valueWithin(reading, READ_MS, undefined);
    },
    put: (row) => write((rows) => rows.put(row)),
    putFailure: (source, error, triedAt) => write((rows) => rows.putFailure(source, error, triedAt)),
  };
}

/** Removes the key sources that no credential names, if their last fetch began before `triedBefore`. */
export async function removeUnnamed(
  store: KeySourceStore,
  namedIds: ReadonlySet<string>,
  triedBefore: number,
): Promise<void> {
  const old = await store.keySources.triedBefore(triedBefore);
  const unnamed = old.filter((source) => !namedIds.has(keySourceId(source)));
  if (unnamed.length === 0) return;
  await store.write(async ({ keySources }) => {
    for (const source of unnamed) await keySources.delete(source);
  });
}
