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
   * Without `kid`, the source must have exactly one key for the algorithm.
   */
  find(
    source: KeySource,
    kid: string | null,
    algorithm: AssertionAlgorithm,
    nowMs: number,
  ): MaybePromise<KeySearch>;
}
