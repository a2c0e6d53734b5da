import type { KeyObject } from 'node:crypto';
import type { MaybePromise } from '../lib/maybe-promise.ts';
import type { AssertionAlgorithm } from './assertion-algorithm.ts';

/** A source of public keys of others: an issuer, by discovery, or the URL of a key set. */
export type KeySource = { issuer: string } | { url: string };

/** A key source that a live credential names. */
export interface NamedKeySource {
  source: KeySource;
  /** The issuer of the trust rule; null: the key set is that of an API user itself. */
  issuer: string | null;
}

/** The search for the key of an assertion in a key source. */
export type KeySearch =
  /** The key, which is fit for the algorithm. */
  | { key: KeyObject }
  /** The keys of the source are known, and none of them has this `kid` and algorithm. */
  | { none: true }
  /** No keys of the source are known, and it does not answer; `reason` is for operators. */
  | { away: string };

/** The public keys of others that this process holds. */
export interface TrustedKeySets {
  /**
   * Returns at once if the key is in memory. Otherwise all callers share one fetch, whose rate is bounded.
   * Without `kid`, the source must have exactly one key for the algorithm. A live credential of the API user
   * must name the source: the process fetches it.
   */
  find(
    source: KeySource,
    kid: string | null,
    algorithm: AssertionAlgorithm,
    nowMs: number,
  ): MaybePromise<KeySearch>;
  /** Like `find`, but never waits: a fetch serves later searches. */
  findNow(source: KeySource, kid: string | null, algorithm: AssertionAlgorithm, nowMs: number): KeySearch;
  /**
   * Like `find`, for an issuer that only the assertion names. Finds no key, and fetches nothing, unless a
   * live trust rule of any API user names the issuer.
   */
  findNamed(
    issuer: string,
    kid: string | null,
    algorithm: AssertionAlgorithm,
    nowMs: number,
  ): MaybePromise<KeySearch>;
  /** The source in which `findNamed` searches; undefined: it finds nothing. */
  sourceOf(issuer: string): KeySource | undefined;
}

/** A key source as it stands: for operators. */
export interface KeySourceState {
  source: KeySource;
  state: KeysState;
  keys: number;
  /** Keys of the set that Mintmark cannot use. */
  leftOut: number;
  /** When the keys were fetched; null: never. */
  fetchedAt: number | null;
  /** Why the last fetch failed; null: it succeeded. */
  error: string | null;
  /** When the last fetch ended. */
  triedAt: number | null;
}

/**
 * - `current`: the keys are fresh.
 * - `old`: no fetch succeeded in their life.
 * - `away`: there are no usable keys.
 */
export type KeysState = 'current' | 'old' | 'away';

const HOUR_MS = 3_600_000;

/** The state of keys that outlive an outage of their source by `keptHours`. */
export function keysState(
  { fetchedAt, lifeMs }: { fetchedAt: number | null; lifeMs: number },
  keptHours: number,
  nowMs: number,
): KeysState {
  const endOfLife = (fetchedAt ?? Number.NEGATIVE_INFINITY) + lifeMs;
  if (nowMs < endOfLife) return 'current';
  return nowMs < endOfLife + keptHours * HOUR_MS ? 'old' : 'away';
}

/** The address of a key source and what it is the address of. */
export function keySourceAddress(source: KeySource): { kind: KeySourceKind; address: string } {
  if ('issuer' in source) return { kind: 'issuer', address: source.issuer };
  return { kind: 'url', address: source.url };
}

export type KeySourceKind = 'issuer' | 'url';

export function keySourceOf(kind: KeySourceKind, address: string): KeySource {
  return kind === 'issuer' ? { issuer: address } : { url: address };
}

/** Equal for equal key sources. */
export function keySourceId(source: KeySource): string {
  const { kind, address } = keySourceAddress(source);
  return `${kind} ${address}`;
}

/** Members of organisations read this instead of the error of a fetch, which only operators see. */
export const FETCH_FAILED_TEXT = 'The keys could not be fetched: ask the platform for the reason.';
