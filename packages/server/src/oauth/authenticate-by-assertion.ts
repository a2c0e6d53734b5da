import type { Assertion } from '../domain/assertion.ts';
import type { Authentication } from '../domain/check-secret.ts';
import { isDenial, type Denial } from '../domain/denial.ts';
import { peekCall } from '../domain/rate-limit.ts';
import { usedAssertionKey, usedUntilMs } from '../domain/used-assertion.ts';
import { andThen, type MaybePromise } from '../lib/maybe-promise.ts';
import type { AcceptedProof, AssertionAttempt, AssertionServices } from './proof.ts';
import { proveByKey } from './prove-by-key.ts';
import { proveByTrustRule } from './prove-by-trust-rule.ts';

/**
 * Checks an assertion (RFC 7523 §3): the key, the signature, the claims and then whether it was used before.
 * An assertion with the client id in `iss` was signed with an own key of the API user; any other comes from
 * an issuer that a trust rule names. Waits only for keys that are not in memory, and for other processes
 * that count used assertions.
 *
 * After a wait, `authenticateApiUser` checks again with `consumes` false: the same request must not use its
 * assertion twice.
 */
export function checkAssertion(
  services: AssertionServices,
  attempt: AssertionAttempt,
  consumes: boolean,
): MaybePromise<Authentication | Denial> {
  const { caller, assertion } = attempt;
  const proof =
    assertion.claims['iss'] === caller.clientId
      ? proveByKey(services, attempt)
      : proveByTrustRule(services, attempt);
  if (!consumes) return proof;
  // Searched for every assertion: the time for it must not tell which one was right.
  const key = usedAssertionKey(assertion);
  const wasUsed = services.used.includes(key);
  return andThen(proof, (proven) => {
    if (isDenial(proven) || 'failure' in proven || !proven.isSingleUse) return proven;
    if (wasUsed) return reused(services, assertion, proven);
    return consume(services, attempt, proven, key);
  });
}

/**
 * Records the use. A call beyond the limit of its API user or organisation is refused first: it can be
 * repeated with the same assertion, and one API user cannot fill the memory for all.
 */
function consume(
  services: AssertionServices,
  { assertion, apiUser, nowMs }: AssertionAttempt,
  proof: AcceptedProof,
  key: string,
): MaybePromise<Authentication | Denial> {
  const limit = apiUser && peekCall(apiUser.arrivalMs, apiUser.policy.limitPerMinute, nowMs);
  if (limit?.allowed === false) return { denied: 'rate_limit_exceeded', policy: 'api-user', limit };
  const { limitPerMinute = null, arrivalMs = 0 } = apiUser?.policy.organisation ?? {};
  const ofAll = limitPerMinute === null ? null : peekCall(arrivalMs, limitPerMinute, nowMs);
  if (ofAll?.allowed === false)
    return { denied: 'rate_limit_exceeded', policy: 'organisation', limit: ofAll };
  const use = services.used.use(key, usedUntilMs(assertion), nowMs);
  return andThen(use, (outcome): Authentication | Denial => {
    if (outcome === 'new') return proof;
    if (outcome === 'used') return reused(services, assertion, proof);
    return { denied: 'temporarily_unavailable', reason: UNCOUNTED[outcome] };
  });
}

function reused(
  { signatures }: AssertionServices,
  assertion: Assertion,
  { credentialId, signature }: AcceptedProof,
): Authentication {
  signatures.settle(assertion, signature);
  const reason = 'assertion_reused';
  return { failure: reason, refusedBy: [{ credentialId, reason, detail: () => null }] };
}

/** Why a use could not be recorded. */
const UNCOUNTED = {
  full: 'the memory of used assertions is full',
  away: 'the process that remembers used assertions does not answer',
} as const;
