import type { Assertion } from './assertion.ts';
import { credentialState } from './credential.ts';
import type { KnownKey } from './known-assertion-credential.ts';
import { algorithmsOf, thumbprintOf } from './public-key.ts';
import type { JsonWebKeySet, PublicJwk } from './trust-rule.ts';

type Header = Pick<Assertion, 'algorithm' | 'kid'>;

/**
 * The keys that may have signed an assertion, the best first. `keys`: those of its API user, the oldest
 * first. Live keys come before ended ones, which only serve to name the reason of the refusal. A key that the
 * header names comes before all others, and then the oldest: callers that send no `kid` are not affected by
 * a second key.
 */
export function candidateKeys(
  keys: readonly KnownKey[],
  { algorithm, kid }: Header,
  nowMs: number,
): readonly KnownKey[] {
  if (algorithm === null) return [];
  const fit = keys.filter(({ key }) => !isJwk(key) || algorithmsOf(key).includes(algorithm));
  if (fit.length < 2) return fit;
  const rank = (key: KnownKey): number =>
    (credentialState(key, nowMs) === 'live' ? 0 : 3) + (kid === null ? 0 : rankByName(key, kid));
  return fit.toSorted((a, b) => rank(a) - rank(b));
}

/** The key of an inline key set for a header, or null. */
export function keyOfSet({ keys }: JsonWebKeySet, { algorithm, kid }: Header): PublicJwk | null {
  if (algorithm === null) return null;
  const fit = keys.filter(
    (jwk) => (kid === null || jwk.kid === kid) && algorithmsOf(jwk).includes(algorithm),
  );
  return kid === null && fit.length > 1 ? null : (fit[0] ?? null);
}

export function isJwk(key: KnownKey['key']): key is PublicJwk {
  return 'kty' in key;
}

/** Characters of a thumbprint: SHA-256 in base64url (RFC 7638). */
const THUMBPRINT_LENGTH = 43;

/** 0: the header names this key. 1: it may name a key of this key set. 2: it names another key. */
function rankByName({ credentialId, key }: KnownKey, kid: string): number {
  if (credentialId === kid) return 0;
  if (!isJwk(key)) return 1;
  if (key.kid === kid) return 0;
  return kid.length === THUMBPRINT_LENGTH && thumbprintOf(key) === kid ? 0 : 2;
}
