import type { AssertionClaims } from '../domain/assertion.ts';
import { keyOfSet } from '../domain/choose-key.ts';
import { credentialState, type CredentialState } from '../domain/credential.ts';
import type {
  AssertionFailure,
  AuthenticationFailure,
  Denial,
  RefusingCredential,
} from '../domain/denial.ts';
import type { KeySearch } from '../domain/key-source.ts';
import type { KnownTrustRule } from '../domain/known-assertion-credential.ts';
import { trustRulesOf } from '../domain/known-api-user.ts';
import { failedTrustCheck, type TrustCheck } from '../domain/match-trust-rule.ts';
import { nobody } from '../domain/nobody.ts';
import type { PublicJwk } from '../domain/trust-rule.ts';
import type { MaybePromise } from '../lib/maybe-promise.ts';
import type { AssertionAttempt, AssertionServices, Proof } from './proof.ts';

/** A trust rule of the API user that names the issuer of the assertion. */
interface Candidate {
  credential: KnownTrustRule;
  state: CredentialState;
  failed: TrustCheck | null;
}

/** The rules of the issuer, and the one whose keys check the signature. */
interface Choice {
  candidates: readonly Candidate[];
  chosen: Candidate | null;
}

/** The key of the issuer; `jwk`: from the rule itself. */
type FoundKey = KeySearch | { jwk: PublicJwk | null };

/**
 * Checks a token that another issuer gave to the workload. Its claims choose the rule, and the rule names
 * the keys. Every step runs, whatever the results of those before it. The keys of an issuer that some rule
 * names are searched for every client id: a 503 and its time depend on the issuer alone.
 */
export function proveByTrustRule(
  services: AssertionServices,
  attempt: AssertionAttempt,
): MaybePromise<Proof | Denial> {
  const candidates = candidatesOf(attempt);
  const chosen =
    candidates.find(({ state, failed }) => state === 'live' && failed === null) ??
    candidates.find(({ failed }) => failed === null) ??
    candidates.find(({ state }) => state === 'live') ??
    candidates[0] ??
    null;
  const search = searchKey(services, attempt, chosen);
  if (!(search instanceof Promise)) return conclude(services, attempt, { candidates, chosen }, search);
  // Other requests may have used up the budget during the wait.
  return search.then(
    (result) => attempt.exhausted() ?? conclude(services, attempt, { candidates, chosen }, result),
  );
}

function candidatesOf({ assertion, apiUser, nowMs }: AssertionAttempt): Candidate[] {
  const { algorithm, claims } = assertion;
  const holder = apiUser?.others?.trustRules ? apiUser : nobody(algorithm);
  const rules = trustRulesOf(holder);
  const ofIssuer = rules.filter(({ rule }) => rule.issuer === claims['iss']);
  const candidates = (ofIssuer.length === 0 ? rules.slice(0, 1) : ofIssuer).map((credential) => ({
    credential,
    state: credentialState(credential, nowMs),
    failed: failedTrustCheck(credential.rule, claims, nowMs),
  }));
  return holder !== apiUser || ofIssuer.length === 0 ? [] : candidates;
}

function searchKey(
  { keySets }: AssertionServices,
  { assertion, nowMs }: AssertionAttempt,
  chosen: Candidate | null,
): MaybePromise<FoundKey> {
  const { algorithm, kid, claims } = assertion;
  const { iss } = claims;
  if (algorithm === null || typeof iss !== 'string') return NO_KEY;
  const keys = chosen?.credential.rule.keys;
  if (keys?.from === 'inline') return { jwk: keyOfSet(keys.jwks, assertion) };
  // A live rule may start a fetch. An ended one, like none, must not.
  if (keys === undefined || chosen?.state !== 'live') return keySets.findNamed(iss, kid, algorithm, nowMs);
  const source = keys.from === 'url' ? { url: keys.url } : { issuer: iss };
  return keySets.find(source, kid, algorithm, nowMs);
}

const NO_KEY: KeySearch = { none: true };

function conclude(
  { signatures }: AssertionServices,
  attempt: AssertionAttempt,
  { candidates, chosen }: Choice,
  search: FoundKey,
): Proof | Denial {
  if ('away' in search) {
    return { denied: 'temporarily_unavailable', reason: search.away, cause: 'keys_away' };
  }
  const { assertion } = attempt;
  const key = 'jwk' in search ? search.jwk : 'key' in search ? search.key : null;
  const signature = signatures.verify(assertion, key);
  const unproven = failureBeforeClaims(attempt, chosen, key !== null, signature.isRight);
  const failure = unproven ?? failureOf(attempt, chosen);
  if (failure === null && chosen !== null) {
    const { credentialId, rule } = chosen.credential;
    return {
      credentialId,
      subject: subjectOf(assertion.claims),
      isSingleUse: rule.reuse === 'once',
      signature,
    };
  }
  signatures.settle(assertion, signature);
  return { failure: failure ?? 'untrusted_issuer', refusedBy: refusing(candidates, chosen, unproven) };
}

function failureBeforeClaims(
  { assertion, apiUser }: AssertionAttempt,
  chosen: Candidate | null,
  hasKey: boolean,
  isRight: boolean,
): AuthenticationFailure | null {
  if (apiUser === undefined) return 'unknown_client_id';
  if (assertion.headerProblem !== null) return 'malformed_assertion';
  if (assertion.algorithm === null) return 'assertion_algorithm';
  if (chosen === null) return 'untrusted_issuer';
  if (!hasKey) return 'unknown_key';
  return isRight ? null : 'wrong_signature';
}

function failureOf({ apiUser }: AssertionAttempt, chosen: Candidate | null): AuthenticationFailure | null {
  const ofRule = chosen === null ? null : failureOfRule(chosen);
  if (ofRule !== null) return ofRule;
  return apiUser?.policy.enabled === true ? null : 'api_user_disabled';
}

function failureOfRule({ state, failed }: Candidate): AssertionFailure | null {
  if (failed !== null) return REASONS[failed.check];
  if (state === 'live') return null;
  return state === 'retired' ? 'retired_trust_rule' : 'expired_trust_rule';
}

const REASONS: Readonly<Record<TrustCheck['check'], AssertionFailure>> = {
  issuer: 'untrusted_issuer',
  subject: 'assertion_subject',
  audience: 'assertion_audience',
  claim: 'claim_mismatch',
  no_expiry: 'assertion_life',
  no_issue_time: 'assertion_life',
  life: 'assertion_life',
  not_yet: 'early_assertion',
  expired: 'expired_assertion',
};

/**
 * The rules that refused the assertion, for operators: before the signature is verified, the chosen one;
 * after that, each with the check that failed.
 */
function refusing(
  candidates: readonly Candidate[],
  chosen: Candidate | null,
  unproven: AuthenticationFailure | null,
): readonly RefusingCredential[] | undefined {
  if (chosen === null) return undefined;
  if (unproven !== null) {
    return [{ credentialId: chosen.credential.credentialId, reason: unproven, detail: NO_DETAIL }];
  }
  const refused: RefusingCredential[] = [];
  for (const candidate of candidates) {
    const { credential, failed } = candidate;
    const reason = failureOfRule(candidate);
    if (reason === null) continue;
    const detail = failed === null ? NO_DETAIL : () => textOf(failed);
    refused.push({ credentialId: credential.credentialId, reason, detail });
  }
  return refused;
}

const NO_DETAIL = () => null;

function textOf({ check, name, expected, actual }: TrustCheck): string {
  const subject = name === undefined ? check : `${check} ${name}`;
  return `${subject}: expected ${expected()}, actual ${actual()}`;
}

function subjectOf({ sub }: AssertionClaims): string | null {
  return typeof sub === 'string' ? sub : null;
}
