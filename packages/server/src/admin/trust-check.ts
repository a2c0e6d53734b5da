import type { KeyObject } from 'node:crypto';
import { confinedTo } from '../domain/actor.ts';
import type { Change } from './audited.ts';
import { ASSERTION_FACTS, ASSERTION_ALGORITHMS } from '../domain/assertion-algorithm.ts';
import { trustRuleOf } from '../domain/assertion-credential.ts';
import { parseAssertion, type Assertion } from '../domain/assertion.ts';
import { keyOfSet } from '../domain/choose-key.ts';
import { credentialState } from '../domain/credential.ts';
import { FETCH_FAILED_TEXT, type TrustedKeySets } from '../domain/key-source.ts';
import { trustMismatch, type TrustMismatch } from '../domain/match-trust-rule.ts';
import { keyObjectOf } from '../domain/public-key.ts';
import { valueText } from '../domain/trust-rule-text.ts';
import type { TrustRule } from '../domain/trust-rule.ts';
import type { Store } from '../storage/store.ts';
import { existingApiUser } from './api-user.ts';

/** The answer to "would this token prove the API user, and if not, why not?". */
export interface TokenCheck {
  /** Why the text is not an assertion; null if it is one. */
  problem: string | null;
  /** `iss` of the token, if it is a text. */
  issuer: string | null;
  /** The live rules of the API user: first those that name the issuer of the token. */
  rules: readonly CheckedRule[];
}

export interface CheckedRule {
  credentialId: string;
  name: string;
  rule: TrustRule;
  /** The first check that the token failed; null if it passed all. */
  failed: FailedCheck | null;
}

/** `expected` and `actual` are texts for a person. */
export interface FailedCheck extends Pick<TrustMismatch, 'name' | 'expected' | 'actual'> {
  check: TrustMismatch['check'] | 'header' | 'algorithm' | 'key' | 'keys_away' | 'signature';
}

export interface TrustCheckServices {
  store: Store;
  findKey: TrustedKeySets['find'];
}

/**
 * Checks a token against the trust rules of an API user. The token is not stored, logged or used up. Throws
 * an AppError for an unknown API user.
 */
export async function checkTrust(
  { store, findKey }: TrustCheckServices,
  owner: string,
  token: string,
  { actor, nowMs }: Pick<Change, 'actor' | 'nowMs'>,
): Promise<TokenCheck> {
  const { clientId } = await existingApiUser(store, owner, actor);
  const assertion = parseAssertion(token.trim());
  if (assertion === null) return { problem: NO_ASSERTION_TEXT, issuer: null, rules: [] };
  const find = confinedTo(actor) === null ? findKey : forMembers(findKey);
  const { iss } = assertion.claims;
  const live = (await store.credentials.listOf(clientId)).filter(
    (credential) => credentialState(credential, nowMs) === 'live',
  );
  const rules: CheckedRule[] = [];
  for (const credential of live) {
    const rule = trustRuleOf(credential);
    if (rule === null) continue;
    const failed = await failedCheck(assertion, rule, find, nowMs);
    rules.push({ credentialId: credential.id, name: credential.name, rule, failed });
  }
  const names = (checked: CheckedRule) => Number(checked.rule.issuer === iss);
  return {
    problem: null,
    issuer: typeof iss === 'string' ? iss : null,
    rules: rules.toSorted((a, b) => names(b) - names(a)),
  };
}

/** What a fetch failed with may tell of the platform's network: members learn only that it failed. */
function forMembers(findKey: TrustedKeySets['find']): TrustedKeySets['find'] {
  return async (...key) => {
    const search = await findKey(...key);
    return 'away' in search ? { away: FETCH_FAILED_TEXT } : search;
  };
}

const NO_ASSERTION_TEXT =
  'The text is not a JWT: three parts of base64url with dots between them, the first two of them JSON objects.';

async function failedCheck(
  assertion: Assertion,
  rule: TrustRule,
  findKey: TrustedKeySets['find'],
  nowMs: number,
): Promise<FailedCheck | null> {
  const mismatch = trustMismatch(rule, assertion.claims, nowMs);
  if (mismatch?.check === 'issuer') return mismatch;
  return (await signatureFailure(assertion, rule, findKey, nowMs)) ?? mismatch;
}

async function signatureFailure(
  assertion: Assertion,
  rule: TrustRule,
  findKey: TrustedKeySets['find'],
  nowMs: number,
): Promise<FailedCheck | null> {
  const { algorithm, headerProblem, kid, signed, signature } = assertion;
  if (headerProblem !== null) {
    return { check: 'header', expected: HEADER_TEXTS[headerProblem], actual: `another ${headerProblem}` };
  }
  if (algorithm === null) {
    return { check: 'algorithm', expected: ASSERTION_ALGORITHMS.join(' or '), actual: 'another alg' };
  }
  let key: KeyObject;
  if (rule.keys.from === 'inline') {
    const jwk = keyOfSet(rule.keys.jwks, assertion);
    if (jwk === null) return noKey(kid);
    key = keyObjectOf(jwk);
  } else {
    const source = rule.keys.from === 'url' ? { url: rule.keys.url } : { issuer: rule.issuer };
    const search = await findKey(source, kid, algorithm, nowMs);
    if ('away' in search)
      return { check: 'keys_away', expected: 'the keys of the issuer', actual: search.away };
    if ('none' in search) return noKey(kid);
    key = search.key;
  }
  return ASSERTION_FACTS[algorithm].verify(signed, key, signature)
    ? null
    : {
        check: 'signature',
        expected: `the signature of the key ${valueText(kid ?? undefined)}`,
        actual: 'another',
      };
}

const HEADER_TEXTS = {
  form: 'a JWT',
  crit: 'no crit and no b64 (RFC 7515 §4.1.11)',
  typ: 'no typ, JWT or client-authentication+jwt',
  kid: 'a kid of at most 256 characters',
} as const;

function noKey(kid: string | null): FailedCheck {
  return {
    check: 'key',
    expected: 'a key of the issuer',
    actual: kid === null ? 'no kid, and not exactly one key for the algorithm' : `the kid ${valueText(kid)}`,
  };
}
