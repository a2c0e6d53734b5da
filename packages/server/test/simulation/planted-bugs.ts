import type { ChangeFeed, ChangeHandlers } from '../../src/runtime/change-feed.ts';
import type { UsedAssertionsOfProcess } from '../../src/runtime/used-assertions.ts';
import type { Limits } from '../../src/runtime/limits/limits.ts';
import type { Keyring } from '../../src/runtime/signing-keys.ts';
import type { SleepWatch } from '../../src/runtime/sleep-watch.ts';
import type { Connections } from '../../src/storage/connections.ts';
import type { Store } from '../../src/storage/store.ts';
import type { ChangeRows } from '../../src/storage/tables/change.ts';
import type { Invariant } from './invariants.ts';

/** A bug in one module, planted by a wrapper: the product's code stays as it is. */
export interface Plant {
  connections(connections: Connections): Connections;
  changes(rows: ChangeRows): ChangeRows;
  handlers(handlers: ChangeHandlers): ChangeHandlers;
  feed(feed: ChangeFeed): ChangeFeed;
  keyring(keyring: Keyring): Keyring;
  sleep(sleep: SleepWatch): SleepWatch;
  recordUsage(write: Store['recordUsage']): Store['recordUsage'];
  limits(limits: Limits): Limits;
  used(used: UsedAssertionsOfProcess): UsedAssertionsOfProcess;
  /** The store as maintenance sees it. */
  maintained(store: Store): Store;
}

const same = <T>(value: T): T => value;

export const NO_PLANT: Plant = {
  connections: same,
  changes: same,
  handlers: same,
  feed: same,
  keyring: same,
  sleep: same,
  recordUsage: same,
  limits: same,
  used: same,
  maintained: same,
};

export interface PlantedBug {
  /** The invariants that may find it. */
  breaks: readonly Invariant[];
  /** A seed that finds it. */
  seed: number;
  plant(): Plant;
}

function planted(part: Partial<Plant>): Plant {
  return { ...NO_PLANT, ...part };
}

/** Does what `work` does, except at every `n`-th call. */
function exceptEvery<A extends unknown[]>(n: number, work: (...args: A) => Promise<void>) {
  let calls = 0;
  return async (...args: A): Promise<void> => {
    calls += 1;
    if (calls % n !== 0) await work(...args);
  };
}

/** Each invariant has at least one. */
export const PLANTED_BUGS: Readonly<Record<string, PlantedBug>> = {
  'a change of an API user is not read': {
    breaks: ['disabled', 'prefix', 'converges'],
    seed: 4,
    plant: () =>
      planted({
        handlers: (handlers) => ({
          ...handlers,
          apiUsersChanged: exceptEvery(3, handlers.apiUsersChanged),
        }),
      }),
  },
  'the feed always says that it is fresh': {
    breaks: ['stale', 'revoked'],
    seed: 166,
    plant: () => planted({ feed: (feed) => ({ ...feed, staleMs: () => 0 }) }),
  },
  'a process that slept does not catch up': {
    breaks: ['disabled', 'withdrawn'],
    seed: 103,
    plant: () => planted({ sleep: (sleep) => ({ ...sleep, catchingUp: () => undefined }) }),
  },
  'the keys are read only once': {
    breaks: ['withdrawn'],
    seed: 2,
    plant: () =>
      planted({
        keyring: (keyring) => {
          let isRead = false;
          const reload = async () => {
            if (!isRead) await keyring.reload();
            isRead = true;
          };
          return { ...keyring, reload };
        },
      }),
  },
  'a store with another past goes unnoticed': {
    breaks: ['disabled', 'prefix', 'converges', 'revoked', 'withdrawn'],
    seed: 1,
    plant: () =>
      planted({
        changes: (rows) => {
          let last: Awaited<ReturnType<ChangeRows['position']>>['change'] = null;
          return {
            ...rows,
            async position(n) {
              const { epoch, change } = await rows.position(n);
              if (n === null) last = change;
              return { epoch: Math.max(epoch, n ?? 0), change: n === null ? change : last };
            },
            async after(n, limit) {
              const batch = await rows.after(n, limit);
              last = batch.at(-1) ?? last;
              return batch;
            },
          };
        },
      }),
  },
  'the feed skips a change': {
    breaks: ['disabled', 'prefix', 'converges', 'revoked', 'withdrawn'],
    seed: 18,
    plant: () =>
      planted({
        changes: (rows) => ({
          ...rows,
          async after(n, limit) {
            const batch = await rows.after(n, limit);
            // The first of several is taken for another change of the last one.
            return batch.map((change, i) =>
              i === 0 && batch.length > 1 ? { ...change, noun: 'usage' } : change,
            );
          },
        }),
      }),
  },
  'a revocation is read after the list claims it': {
    breaks: ['revoked'],
    seed: 3,
    plant: () =>
      planted({
        handlers: (handlers) => ({
          ...handlers,
          async revocationsChanged(digests) {
            setTimeout(() => void handlers.revocationsChanged(digests).catch(() => undefined), 1500);
          },
        }),
      }),
  },
  'a change is acknowledged before it is committed': {
    breaks: ['lost'],
    seed: 6,
    plant: () =>
      planted({
        connections: (connections) => ({
          ...connections,
          transaction: async (work) =>
            await new Promise((resolve, reject) => {
              connections
                .transaction(async (db, announce) => {
                  const result = await work(db, announce);
                  resolve(result);
                  return result;
                })
                .catch(reject);
            }),
        }),
      }),
  },
  'a flush with a lost answer is written again': {
    breaks: ['usage'],
    seed: 25,
    plant: () =>
      planted({
        recordUsage: (write) => {
          let number = 0;
          return async (batch) => {
            number += 1;
            await write({ ...batch, ...(batch.flush && { flush: { ...batch.flush, number } }) });
          };
        },
      }),
  },
  'a flush with a lost answer is dropped': {
    breaks: ['usage'],
    seed: 6,
    plant: () =>
      planted({ recordUsage: (write) => async (batch) => await write(batch).catch(() => undefined) }),
  },
  'each process counts calls for itself': {
    breaks: ['limit'],
    seed: 1,
    plant: () =>
      planted({
        limits: (limits) => ({ ...limits, services: { ...limits.services, sharedLimits: null } }),
      }),
  },
  'limits that cannot be shared are not divided': {
    breaks: ['limit'],
    seed: 98,
    plant: () =>
      planted({
        limits(limits) {
          const { sharedLimits } = limits.services;
          if (sharedLimits === null) return limits;
          return {
            ...limits,
            services: { ...limits.services, sharedLimits: { ...sharedLimits, processes: 1, parts: () => 1 } },
          };
        },
      }),
  },
  'each process remembers only the assertions that it saw': {
    breaks: ['reused'],
    seed: 2,
    plant: () => planted({ used: (used) => ({ ...used, use: () => 'new' }) }),
  },
  'maintenance removes what has ended by its own clock': {
    breaks: ['kept'],
    seed: 377,
    plant: () =>
      planted({
        maintained: (store) => ({
          ...store,
          clock: { ...store.clock, now: async () => store.clock.ownNow() },
        }),
      }),
  },
  'what wrong clocks made a list drop is not read again': {
    breaks: ['revoked', 'converges'],
    seed: 2310,
    plant: () => planted({ handlers: (handlers) => ({ ...handlers, lacksSome: () => false }) }),
  },
};
