import type { Config } from '../../config/config.ts';
import type { AssertionAlgorithm } from '../../domain/assertion-algorithm.ts';
import {
  keySourceAddress,
  keysState,
  type KeysState,
  type KeySearch,
  type KeySource,
  type KeySourceState,
} from '../../domain/key-source.ts';
import { takeCall } from '../../domain/rate-limit.ts';
import type { MaybePromise } from '../../lib/maybe-promise.ts';
import type { StoredKeySource } from '../../storage/tables/key-source.ts';
import { isDue, isUnknown, keyIn, type HeldKeys } from './held-keys.ts';
import { createKeyFetch, type KeyFetchParts } from './key-fetch.ts';

/** The search in one key source. */
export interface SourceKeys {
  find(kid: string | null, algorithm: AssertionAlgorithm, nowMs: number): MaybePromise<KeySearch>;
  /** Like `find`, but never waits: a fetch serves later searches. */
  findNow(kid: string | null, algorithm: AssertionAlgorithm, nowMs: number): KeySearch;
  /** Fetches the keys if about half of their life is over; null if no fetch is due. */
  refreshWhenDue(nowMs: number): Promise<void> | null;
  state(nowMs: number): KeySourceState;
}

export interface SourceKeysParts extends KeyFetchParts {
  /** Callers that wait for a fetch, of all sources together. */
  waiters: { count: number };
  config: Pick<
    Config,
    'inFlightMax' | 'keyWaitersMax' | 'keyWaitersOfSourceMax' | 'unknownKeyLimit' | 'trustedKeysKeptHours'
  >;
}

/** Waits between failed attempts, if a caller waits for the keys. */
const RETRY_FOR_CALLER = { firstMs: 1000, maxMs: 10_000 };
/** The same, if no caller waits. */
const RETRY = { firstMs: 1000, maxMs: 300_000 };

const NONE = { none: true } as const;
const TOO_MANY_WAIT = { away: 'too many requests wait for keys of others' } as const;

/** A search that may have to go on after a fetch. */
interface Beginning {
  result: KeySearch;
  needsFetch: boolean;
}

export function createSourceKeys(
  source: KeySource,
  parts: SourceKeysParts,
  row: StoredKeySource | undefined,
): SourceKeys {
  const { waiters, config, now } = parts;
  const fetch = createKeyFetch(source, parts, row);
  /** The state of the limit on fetches for unknown key ids (`takeCall`). */
  let unknownArrivalMs: number | undefined;
  const room = createRoom(waiters, config);

  function stateAt(nowMs: number): KeysState {
    const held = fetch.held();
    return held === null ? 'away' : keysState(held, config.trustedKeysKeptHours, nowMs);
  }

  function usable(nowMs: number): HeldKeys | null {
    return stateAt(nowMs) === 'away' ? null : fetch.held();
  }

  /** Searches in memory. */
  function search(kid: string | null, algorithm: AssertionAlgorithm, nowMs: number): KeySearch {
    const held = usable(nowMs);
    if (held === null) return { away: awayText(source, fetch.last().error) };
    const key = keyIn(held, kid, algorithm);
    return key === null ? NONE : { key };
  }

  /** Whether a fetch may begin for a search without a key. Takes it from the limit. */
  function mayFetch(result: KeySearch, nowMs: number): boolean {
    if (!fetch.mayTry(nowMs, RETRY_FOR_CALLER)) return false;
    if ('away' in result) return true;
    const { state, arrivalMs } = takeCall(unknownArrivalMs, config.unknownKeyLimit, nowMs);
    unknownArrivalMs = arrivalMs;
    return state.allowed;
  }

  /** Searches in memory. `needsFetch`: a fetch may find the key, and is under way or may begin. */
  function begin(kid: string | null, algorithm: AssertionAlgorithm, nowMs: number): Beginning {
    const result = search(kid, algorithm, nowMs);
    const held = usable(nowMs);
    const mayBeNew = !('key' in result) && (held === null || isUnknown(held, kid, algorithm));
    return { result, needsFetch: mayBeNew && (fetch.underWay() || mayFetch(result, nowMs)) };
  }

  async function searchAfterFetch(kid: string | null, algorithm: AssertionAlgorithm): Promise<KeySearch> {
    const again = () => search(kid, algorithm, now());
    const isFound = () => 'key' in again();
    // A fetch that began earlier may miss a new key, so one more may follow.
    const wasUnderWay = fetch.underWay();
    await fetch.renew(isFound);
    if (wasUnderWay && !isFound() && mayFetch(again(), now())) await fetch.renew(isFound);
    return again();
  }

  return {
    find(kid, algorithm, nowMs) {
      const { result, needsFetch } = begin(kid, algorithm, nowMs);
      if (!needsFetch) return result;
      return room.isFull() ? TOO_MANY_WAIT : room.during(() => searchAfterFetch(kid, algorithm));
    },
    findNow(kid, algorithm, nowMs) {
      const { result, needsFetch } = begin(kid, algorithm, nowMs);
      if (needsFetch) void fetch.renew(() => 'key' in search(kid, algorithm, now()));
      return result;
    },
    refreshWhenDue(nowMs) {
      const due = () => {
        const held = fetch.held();
        return held === null || isDue(held, now());
      };
      return due() && !fetch.underWay() && fetch.mayTry(nowMs, RETRY) ? fetch.renew(() => !due()) : null;
    },
    state: (nowMs) => ({ source, state: stateAt(nowMs), ...countsOf(fetch.held()), ...fetch.last() }),
  };
}

function countsOf(held: HeldKeys | null): Pick<KeySourceState, 'keys' | 'leftOut' | 'fetchedAt'> {
  return held === null
    ? { keys: 0, leftOut: 0, fetchedAt: null }
    : { keys: held.keys.length, leftOut: held.leftOut, fetchedAt: held.fetchedAt };
}

/**
 * Room for callers that wait for a fetch of one source. `waiters`: those of all sources. They are at most
 * half of the requests that may wait (http/oauth/admission.ts): the others are for callers with secrets.
 */
function createRoom(waiters: SourceKeysParts['waiters'], config: SourceKeysParts['config']) {
  const max = Math.min(config.keyWaitersMax, 2 * config.inFlightMax);
  const ofSourceMax = Math.min(config.keyWaitersOfSourceMax, config.inFlightMax);
  let waiting = 0;
  return {
    isFull: () => waiters.count >= max || waiting >= ofSourceMax,
    async during<T>(work: () => Promise<T>): Promise<T> {
      waiters.count += 1;
      waiting += 1;
      try {
        return await work();
      } finally {
        waiters.count -= 1;
        waiting -= 1;
      }
    },
  };
}

function awayText(source: KeySource, error: string | null): string {
  return `the keys of ${keySourceAddress(source).address} are not known: ${error ?? 'no fetch has ended yet'}`;
}
