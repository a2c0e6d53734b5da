import type { Algorithm } from './algorithms.ts';
import { createBackOff, Unavailable } from './back-off.ts';
import { Refusal } from './errors.ts';
import { fetchJson, type FetchLimits, type JsonAnswer } from './fetch-json.ts';
import type { Discovery } from './metadata.ts';
import { KEYS_MAX, publicKeys, type PublicKey } from './public-keys.ts';
import { createUnknownKids } from './unknown-kids.ts';

export interface KeySetOptions extends FetchLimits {
  issuer: string;
  /** Undefined: taken from the issuer's metadata. */
  jwksUrl: string | undefined;
  insecureHttp: boolean;
  staleKeysSeconds: number;
  clock: () => number;
  onFailure: (error: unknown) => void;
}

/** An issuer's keys. Use refreshes them; there are no timers. */
export interface KeySet {
  /** Whether the keys may be used without a request to the issuer. */
  isFresh(nowMs: number): boolean;
  /** Waits for usable keys. Throws Unavailable. */
  ready(): Promise<void>;
  /** A number that tells `find` whether a key set was fetched after a token's arrival. */
  arrival(): number;
  /** The keys that may have signed a token; empty if the key set has none. */
  candidates(kid: string | undefined, algorithm: Algorithm): readonly PublicKey[];
  /** Like `known`, but fetches the key set if that may help. Returns at least one key or throws a Refusal. */
  find(kid: string | undefined, algorithm: Algorithm, arrival: number): Promise<readonly PublicKey[]>;
}

/** Maximum number of fitting keys with one key id that a token is checked with. */
const CANDIDATES_MAX = 8;

const LIFE_MS_DEFAULT = 300_000;
const LIFE_MS_MIN = 5_000;
const LIFE_MS_MAX = 3_600_000;

export function createKeySet(options: KeySetOptions, discovery: Discovery): KeySet {
  const { clock } = options;
  const source = createSource(options, discovery);
  const unknownKids = createUnknownKids();
  let keys: readonly PublicKey[] = [];
  let times = { fetchedMs: 0, renewMs: 0, endOfLifeMs: 0, endOfUseMs: Number.NEGATIVE_INFINITY };
  const backOff = createBackOff();
  let fetches = 0;
  /** Number of the fetch that returned the keys. */
  let loadedBy = 0;
  let inFlight: Promise<void> | undefined;

  /** Callers share one fetch. Never rejects: `backOff` keeps the error. */
  function renew(revalidate: boolean): Promise<void> {
    if (inFlight === undefined) {
      fetches += 1;
      inFlight = load(fetches, revalidate);
    }
    return inFlight;
  }

  async function load(number: number, revalidate: boolean): Promise<void> {
    try {
      const answer = await source(keys, revalidate);
      accept(answer.keys, answer.lifeMs);
      loadedBy = number;
      backOff.succeeded();
    } catch (error) {
      backOff.failed(error, clock());
      options.onFailure(error);
    } finally {
      inFlight = undefined;
    }
  }

  function accept(fetched: readonly PublicKey[], lifeMs: number): void {
    for (const key of keys) if (!fetched.includes(key)) key.live = false;
    keys = fetched;
    const fetchedMs = clock();
    const endOfLifeMs = fetchedMs + lifeMs;
    const endOfUseMs = endOfLifeMs + options.staleKeysSeconds * 1000;
    times = { fetchedMs, renewMs: fetchedMs + lifeMs / 2, endOfLifeMs, endOfUseMs };
  }

  /** After the clock is set back, the keys' age is unknown: they count as expired now. */
  function noticeClockSetBack(nowMs: number): void {
    if (nowMs >= times.fetchedMs) return;
    const endOfUseMs = Math.min(times.endOfUseMs, nowMs + options.staleKeysSeconds * 1000);
    times = { fetchedMs: nowMs, renewMs: nowMs, endOfLifeMs: nowMs, endOfUseMs };
    backOff.retryFrom(nowMs);
  }

  const isFresh = (nowMs: number) => nowMs < times.renewMs && nowMs >= times.fetchedMs;

  /** The keys with this key id, in order. Without a key id, the one fitting key, if there is just one. */
  function candidatesFor(kid: string | undefined, algorithm: Algorithm): readonly PublicKey[] {
    const candidates: PublicKey[] = [];
    for (const key of keys) {
      if ((kid !== undefined && key.kid !== kid) || !key.fits(algorithm)) continue;
      if (kid === undefined && candidates.length === 1) return [];
      candidates.push(key);
      if (candidates.length === CANDIDATES_MAX) break;
    }
    return candidates;
  }

  /** The fetch that may bring this key id; undefined if a fetch cannot help. */
  function fetchFor(kid: string): Promise<void> | undefined {
    const nowMs = clock();
    if (unknownKids.has(kid, nowMs)) return undefined;
    if (inFlight !== undefined) return inFlight;
    return backOff.mayTry(nowMs) && unknownKids.mayFetch(nowMs) ? renew(true) : undefined;
  }

  return {
    isFresh,
    candidates: candidatesFor,
    arrival: () => fetches,

    async ready() {
      const nowMs = clock();
      if (isFresh(nowMs)) return;
      noticeClockSetBack(nowMs);
      // While the issuer is down, usable keys serve callers without a wait.
      const usable = nowMs < times.endOfUseMs && (nowMs < times.endOfLifeMs || backOff.failing());
      const renewed = inFlight ?? (backOff.mayTry(nowMs) ? renew(false) : undefined);
      if (usable) return;
      await renewed;
      const laterMs = clock();
      if (laterMs < times.endOfUseMs) return;
      const message = `The keys of ${options.issuer} cannot be fetched, and earlier ones are too old to use.`;
      throw new Unavailable('key_set_unavailable', message, backOff, laterMs);
    },

    async find(kid, algorithm, arrival) {
      for (;;) {
        const candidates = candidatesFor(kid, algorithm);
        if (candidates.length > 0) return candidates;
        if (kid === undefined) {
          throw new Refusal(
            'unknown_key',
            'It names no key, and the issuer does not have exactly one key that fits.',
          );
        }
        if (keys.some((one) => one.kid === kid)) {
          throw new Refusal('unknown_key', 'The key of the issuer with its key id is for another algorithm.');
        }
        if (loadedBy > arrival) unknownKids.add(kid, clock());
        const fetching = fetchFor(kid);
        if (fetching === undefined)
          throw new Refusal('unknown_key', 'The issuer has no key with its key id.');
        const number = fetches;
        await fetching;
        if (loadedBy < number) {
          throw new Refusal('unknown_key', 'Its key id is new, and the key set cannot be fetched.');
        }
      }
    },
  };
}

interface Loaded {
  keys: readonly PublicKey[];
  lifeMs: number;
}

/** Fetches the key set. `revalidate` bypasses HTTP caches, because a key is missing. */
function createSource(options: KeySetOptions, discovery: Discovery) {
  let etag: { url: string; value: string } | undefined;

  return async (before: readonly PublicKey[], revalidate: boolean): Promise<Loaded> => {
    const url = options.jwksUrl ?? (await discovery.get()).jwksUrl;
    const headers: Record<string, string> = {};
    if (etag?.url === url) headers['if-none-match'] = etag.value;
    if (revalidate) headers['cache-control'] = 'no-cache';
    try {
      const answer = await fetchJson(url, headers, options);
      if (answer.status === 304 && etag?.url === url) return { keys: before, lifeMs: lifeOf(answer) };
      if (answer.status !== 200) throw new Error(`GET ${url} answered with status ${answer.status}.`);
      const { keys, truncated } = await publicKeys(answer.body, before);
      if (truncated) {
        const problem = `The key set at ${url} has more than ${KEYS_MAX} usable keys: the first ${KEYS_MAX} are used.`;
        options.onFailure(new Error(problem));
      }
      const value = answer.headers.get('etag');
      etag = value === null ? undefined : { url, value };
      return { keys, lifeMs: lifeOf(answer) };
    } catch (error) {
      // The key set may have moved.
      discovery.forget();
      throw error;
    }
  };
}

/** The answer's freshness lifetime (RFC 9111 §4.2), within our bounds. */
function lifeOf({ headers }: JsonAnswer): number {
  const cacheControl = headers.get('cache-control') ?? '';
  if (/\bno-(store|cache)\b/i.test(cacheControl)) return LIFE_MS_MIN;
  const [, maxAge] = /\bmax-age="?(\d{1,9})/i.exec(cacheControl) ?? [];
  if (maxAge === undefined) return LIFE_MS_DEFAULT;
  const age = /^\d{1,9}$/.exec(headers.get('age') ?? '')?.[0] ?? '0';
  return Math.min(LIFE_MS_MAX, Math.max(LIFE_MS_MIN, (Number(maxAge) - Number(age)) * 1000));
}
