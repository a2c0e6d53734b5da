import type { KeyObject } from 'node:crypto';
import { candidateKeys, isJwk } from '../domain/choose-key.ts';
import { credentialState } from '../domain/credential.ts';
import type { AssertionFailure, AuthenticationFailure } from '../domain/denial.ts';
import type { KnownKey } from '../domain/known-assertion-credential.ts';
import { disabledBy, keysOf } from '../domain/known-api-user.ts';
import { nobody } from '../domain/nobody.ts';
import { ownAssertionFailure } from '../domain/own-assertion.ts';
import type { PublicJwk } from '../domain/trust-rule.ts';
import type { SignatureOutcome } from '../runtime/signature-check.ts';
import type { AssertionAttempt, AssertionServices, Proof } from './proof.ts';

/** A key of the API user for one assertion. */
interface Chosen {
  credential: KnownKey;
  key: PublicJwk;
}

/**
 * Checks an assertion that the API user signed with its own key. Every step runs, whatever the results of
 * those before it, and costs the same for an unknown API user.
 */
export function proveByKey(services: AssertionServices, attempt: AssertionAttempt): Proof {
  const { assertion, caller, apiUser, nowMs } = attempt;
  const chosen = chooseKey(services, attempt);
  const signature = services.signatures.verify(assertion, chosen?.key ?? null);
  // Even if the caller sent a username as client id, `iss` and `sub` must be the client id.
  const expected = { clientId: apiUser?.clientId ?? caller.clientId, audiences: services.audiences };
  const claims = ownAssertionFailure(assertion.claims, expected, nowMs);
  const failure = failureOf(attempt, chosen?.credential ?? null, signature, claims);
  if (failure === null && chosen !== null)
    return { credentialId: chosen.credential.credentialId, isSingleUse: true, signature };
  services.signatures.settle(assertion, signature);
  const refusedBy =
    chosen === null || apiUser === undefined
      ? undefined
      : [
          {
            credentialId: chosen.credential.credentialId,
            reason: failure ?? 'unknown_key',
            detail: () => null,
          },
        ];
  return { failure: failure ?? 'unknown_key', refusedBy };
}

/**
 * Does not wait for the keys behind the API user's own URL: a wait, or a 503, would reveal that the API user
 * exists. The search starts the fetch, and the next request finds the key.
 */
function chooseKey(
  { keySets }: AssertionServices,
  { assertion, apiUser, nowMs }: AssertionAttempt,
): Chosen | null {
  if (assertion.algorithm === null) return null;
  const holder = apiUser?.others?.keys ? apiUser : nobody(assertion.algorithm);
  for (const candidate of candidateKeys(keysOf(holder), assertion, nowMs)) {
    if (holder !== apiUser) return null;
    if (isJwk(candidate.key)) return { credential: candidate, key: candidate.key };
    if (credentialState(candidate, nowMs) !== 'live') continue;
    const search = keySets.findNow(candidate.key, assertion.kid, assertion.algorithm, nowMs);
    if ('key' in search) return { credential: candidate, key: jwkOf(search.key) };
  }
  return null;
}

/** Keys of key sets as JWK: their check must take the same time as that of a registered key. */
const jwks = new WeakMap<KeyObject, PublicJwk>();

function jwkOf(key: KeyObject): PublicJwk {
  const jwk = jwks.get(key) ?? (key.export({ format: 'jwk' }) as PublicJwk);
  jwks.set(key, jwk);
  return jwk;
}

function failureOf(
  { assertion, apiUser, nowMs }: AssertionAttempt,
  key: KnownKey | null,
  signature: SignatureOutcome,
  claims: AssertionFailure | null,
): AuthenticationFailure | null {
  if (apiUser === undefined) return 'unknown_client_id';
  if (assertion.headerProblem !== null) return 'malformed_assertion';
  if (assertion.algorithm === null) return 'assertion_algorithm';
  if (key === null) return 'unknown_key';
  if (!signature.isRight) return 'wrong_signature';
  if (claims !== null) return claims;
  const state = credentialState(key, nowMs);
  if (state !== 'live') return state === 'retired' ? 'retired_key' : 'expired_key';
  return disabledBy(apiUser.policy);
}
