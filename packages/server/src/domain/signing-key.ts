import { createHash, createPublicKey, type KeyObject, type webcrypto } from 'node:crypto';
import { ALGORITHM_FACTS, type SigningAlgorithm } from './signing-algorithm.ts';

/**
 * A signing key as it is stored and published; the private part is elsewhere. Times: milliseconds since 1970
 * (UTC).
 */
export interface SigningKey {
  /** RFC 7638 thumbprint of the public key. */
  kid: string;
  algorithm: SigningAlgorithm;
  publicJwk: webcrypto.JsonWebKey;
  /** The key set has the key from this time on. */
  announcedAt: number;
  /** The key signs from this time on. */
  activatesAt: number;
  /** The key stops signing at this time; null: it has no successor yet. */
  retiresAt: number | null;
  /** The key leaves the key set at this time. */
  removesAt: number | null;
}

export type SigningKeyState = 'announced' | 'active' | 'retired' | 'removed';

/** The durations that determine the schedule of a rotation, in seconds. */
export interface KeySchedule {
  /** A new key is published this long before it signs. Longer than verifiers keep a key set. */
  keyAnnounceSeconds: number;
  /** How long verifiers may keep the key set (`max-age`). */
  jwksMaxAgeSeconds: number;
  tokenLifeSeconds: number;
  clockSkewSeconds: number;
  /** A process without its store keeps serving for this long, with the key that it knows as active. */
  staleMaxSeconds: number;
}

/**
 * What took effect at once is decided by the row alone: a process with a slow clock must neither sign with a
 * withdrawn key nor wait for its successor.
 */
export function signingKeyState(key: SigningKey, nowMs: number): SigningKeyState {
  const { announcedAt, activatesAt, retiresAt, removesAt } = key;
  const isWithdrawn = removesAt !== null && retiresAt !== null && removesAt <= retiresAt;
  if (isWithdrawn || (removesAt !== null && removesAt <= nowMs)) return 'removed';
  if (retiresAt !== null && retiresAt <= nowMs) return 'retired';
  return activatesAt <= Math.max(nowMs, announcedAt) ? 'active' : 'announced';
}

/** The key that signs at `nowMs`: the newest active one. */
export function activeKey<K extends SigningKey>(keys: readonly K[], nowMs: number): K | undefined {
  let newest: K | undefined;
  for (const key of keys) {
    if (signingKeyState(key, nowMs) !== 'active') continue;
    if (newest === undefined || key.activatesAt > newest.activatesAt) newest = key;
  }
  return newest;
}

/** The keys that verifiers must know: announced, active and retired. */
export function publishedKeys<K extends SigningKey>(keys: readonly K[], nowMs: number): K[] {
  return keys.filter((key) => signingKeyState(key, nowMs) !== 'removed');
}

/**
 * When a key that is announced now begins to sign. The first key, and a rotation in an emergency, do without
 * this wait.
 */
export function activationTime(schedule: KeySchedule, nowMs: number): number {
  return nowMs + schedule.keyAnnounceSeconds * 1000;
}

/**
 * A retired key stays published until its last token has expired for verifiers with a slow clock and an old
 * key set. The last signer may be a process that lost its store just before `decidedAt`, the time at which
 * the rotation was written.
 */
export function removalTime(schedule: KeySchedule, retiresAt: number, decidedAt: number): number {
  const { tokenLifeSeconds, clockSkewSeconds, jwksMaxAgeSeconds, staleMaxSeconds } = schedule;
  const lastSignature = Math.max(retiresAt, decidedAt + staleMaxSeconds * 1000);
  const roundedUp = 1; // the life of a token is rounded up to a whole second
  return lastSignature + (tokenLifeSeconds + roundedUp + clockSkewSeconds + jwksMaxAgeSeconds) * 1000;
}

/** The longer of each duration of two schedules: safe for the verifiers and processes of both. */
export function safestSchedule(a: KeySchedule, b: KeySchedule): KeySchedule {
  return {
    keyAnnounceSeconds: Math.max(a.keyAnnounceSeconds, b.keyAnnounceSeconds),
    jwksMaxAgeSeconds: Math.max(a.jwksMaxAgeSeconds, b.jwksMaxAgeSeconds),
    tokenLifeSeconds: Math.max(a.tokenLifeSeconds, b.tokenLifeSeconds),
    clockSkewSeconds: Math.max(a.clockSkewSeconds, b.clockSkewSeconds),
    staleMaxSeconds: Math.max(a.staleMaxSeconds, b.staleMaxSeconds),
  };
}

/** True if the active key has signed for the rotation period and no successor is announced. */
export function rotationIsDue(keys: readonly SigningKey[], rotationSeconds: number, nowMs: number): boolean {
  if (rotationSeconds === 0 || keys.some((key) => signingKeyState(key, nowMs) === 'announced')) return false;
  const active = activeKey(keys, nowMs);
  return active !== undefined && nowMs - active.activatesAt >= rotationSeconds * 1000;
}

export interface NewSigningKey {
  kid: string;
  publicJwk: webcrypto.JsonWebKey;
  privateKey: KeyObject;
}

export function generateSigningKey(algorithm: SigningAlgorithm): NewSigningKey {
  const privateKey = ALGORITHM_FACTS[algorithm].generatePrivateKey();
  const publicJwk = createPublicKey(privateKey).export({ format: 'jwk' });
  return { kid: thumbprint(publicJwk), publicJwk, privateKey };
}

/** RFC 7638 §3: the required members in lexicographic order, without white space, SHA-256. */
function thumbprint(jwk: webcrypto.JsonWebKey): string {
  const members = ['crv', 'e', 'kty', 'n', 'x', 'y'] as const;
  const required = Object.fromEntries(
    members.filter((name) => jwk[name] !== undefined).map((name) => [name, jwk[name]]),
  );
  return createHash('sha256').update(JSON.stringify(required)).digest('base64url');
}
