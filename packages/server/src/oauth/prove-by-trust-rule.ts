import type { AssertionClaims } from '../domain/assertion.ts';
import { keyOfSet } from '../domain/choose-key.ts';
import { credentialState, type CredentialState } from '../domain/credential.ts';
import type {
  AssertionFailure,
  AuthenticationFailure,
  Denial,
  RefusingCredential,
} from '../domain/denial.ts';
import { keySourceId, type KeySearch, type KeySource } from '../domain/key-source.ts';
import type { KnownTrustRule } from '../domain/known-assertion-credential.ts';
import { disabledBy, trustRulesOf } from '../domain/known-api-user.ts';
import { failedTrustCheck, type TrustCheck } from '../domain/match-trust-rule.ts';
import { nobody } from '../domain/nobody.ts';
import type { PublicJwk, TrustRule } from '../domain/trust-rule.ts';
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
type FoundKey = Exclude<KeySearch, { away: string }> | { jwk: PublicJwk | null };

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
  const choice = { candidates, chosen };
  const own = ownKey(services, attempt, chosen);
  if (own === null) {
    return afterSearch(attempt, searchKey(services, attempt, chosen), (result) =>
      'away' in result
        ? awayInEqualTime(services, attempt, result)
        : conclude(services, attempt, choice, result),
    );
  }
  const proof = conclude(services, attempt, choice, own);
  if (!('failure' in proof)) return proof;
  return afterSearch(attempt, searchKey(services, attempt, null), (result) =>
    'away' in result ? away(result) : proof,
  );
}

function afterSearch(
  { exhausted }: AssertionAttempt,
  search: MaybePromise<KeySearch>,
  then: (result: KeySearch) => Proof | Denial,
): MaybePromise<Proof | Denial> {
  if (!(search instanceof Promise)) return then(search);
  // Other requests may have used up the budget during the wait.
  return search.then((result) => exhausted() ?? then(result));
}

function away(search: { away: string }): Denial {
  return { denied: 'temporarily_unavailable', reason: search.away, cause: 'keys_away' };
}

/** Verifies like a request whose rule has keys of its own: the time must not tell them apart. */
function awayInEqualTime(
  { signatures }: AssertionServices,
  { assertion }: AssertionAttempt,
  search: { away: string },
): Denial {
  signatures.settle(assertion, signatures.verify(assertion, null));
  return away(search);
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

/**
 * The key of a rule whose keys are not those of the source that other rules name for its issuer; null if they
 * are. Never waits, and never causes a 503: a refusal must depend on the source that others name.
 */
function ownKey(
  { keySets }: AssertionServices,
  { assertion, nowMs }: AssertionAttempt,
  chosen: Candidate | null,
): FoundKey | null {
  const { algorithm, kid } = assertion;
  const rule = chosen?.credential.rule;
  if (algorithm === null || rule === undefined) return null;
  if (rule.keys.from === 'inline') return { jwk: keyOfSet(rule.keys.jwks, assertion) };
  const named = keySets.sourceOf(rule.issuer);
  const source = sourceOf(rule);
  if (chosen?.state !== 'live' || named === undefined || isSame(named, source)) return null;
  const search = keySets.findNow(source, kid, algorithm, nowMs);
  return 'key' in search ? search : NO_KEY;
}

function sourceOf({ issuer, keys }: TrustRule): KeySource {
  return keys.from === 'url' ? { url: keys.url } : { issuer };
}

function isSame(a: KeySource, b: KeySource): boolean {
  return keySourceId(a) === keySourceId(b);
}

/** `chosen`: null if its keys, or the lack of a rule, make no difference to the search. */
function searchKey(
  { keySets }: AssertionServices,
  { assertion, nowMs }: AssertionAttempt,
  chosen: Candidate | null,
): MaybePromise<KeySearch> {
  const { algorithm, kid, claims } = assertion;
  const { iss } = claims;
  if (algorithm === null || typeof iss !== 'string') return NO_KEY;
  // A live rule may start a fetch. An ended one, like none, must not.
  if (chosen?.state !== 'live') return keySets.findNamed(iss, kid, algorithm, nowMs);
  return keySets.find(sourceOf(chosen.credential.rule), kid, algorithm, nowMs);
}

const NO_KEY = { none: true } as const;

function conclude(
  { signatures }: AssertionServices,
  attempt: AssertionAttempt,
  { candidates, chosen }: Choice,
  search: FoundKey,
): Proof {
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
  return apiUser === undefined ? 'api_user_disabled' : disabledBy(apiUser.policy);
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
