import type { KeyObject } from 'node:crypto';
import type { AssertionAlgorithm } from '../../domain/assertion-algorithm.ts';
import { algorithmsOf, keyObjectOf, readJwk } from '../../domain/public-key.ts';
import type { LoadedKeySet } from './load-key-set.ts';

/** The keys of one source in memory. */
export interface HeldKeys {
  keys: readonly TrustedKey[];
  leftOut: number;
  fetchedAt: number;
  lifeMs: number;
  /** The time from which the source is fetched again. */
  dueAt: number;
}

interface TrustedKey {
  kid: string | undefined;
  algorithms: readonly AssertionAlgorithm[];
  key: KeyObject;
}

/** Null if there are no keys. Checks them once more: something else may have written into the store. */
export function heldKeys({ keys, leftOut, lifeMs }: LoadedKeySet, fetchedAt: number): HeldKeys | null {
  const fit = keys.filter((key) => !Array.isArray(readJwk(key)));
  if (fit.length === 0) return null;
  const trusted = fit.map((jwk) => ({ kid: jwk.kid, algorithms: algorithmsOf(jwk), key: keyObjectOf(jwk) }));
  // Somewhat before half of their life, and at random, so that not all processes fetch at once.
  const dueAt = fetchedAt + lifeMs * (0.4 + Math.random() * 0.1);
  return { keys: trusted, leftOut, fetchedAt, lifeMs, dueAt };
}

/** The key with this `kid` for the algorithm; without `kid`, the only key for the algorithm. */
export function keyIn(
  { keys }: HeldKeys,
  kid: string | null,
  algorithm: AssertionAlgorithm,
): KeyObject | null {
  const named = kid === null ? keys : keys.filter((one) => one.kid === kid);
  const [first, second] = named.filter(({ algorithms }) => algorithms.includes(algorithm));
  return first === undefined || (kid === null && second !== undefined) ? null : first.key;
}

/** Whether a newer key set may have the key: none here has its id, or, without an id, its algorithm. */
export function isUnknown(held: HeldKeys, kid: string | null, algorithm: AssertionAlgorithm): boolean {
  if (kid !== null) return !held.keys.some((one) => one.kid === kid);
  return !held.keys.some(({ algorithms }) => algorithms.includes(algorithm));
}

/** After the clock was set back, the age of the keys is unknown. */
export function isDue({ fetchedAt, dueAt }: HeldKeys, nowMs: number): boolean {
  return nowMs >= dueAt || nowMs < fetchedAt;
}
