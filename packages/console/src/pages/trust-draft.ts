import {
  trustRuleFromJson,
  type TrustRuleInput,
  type TrustRuleJson,
} from '../../../server/src/domain/trust-rule-json.ts';
import { trustRuleText } from '../../../server/src/domain/trust-rule-text.ts';
import type { ClaimMatch, JsonWebKeySet, TrustedKeys } from '../../../server/src/domain/trust-rule.ts';

// A trust rule while an operator types it.

export type ClaimTest = 'is' | 'one_of' | 'prefix' | 'json';

export interface ClaimDraft {
  /** Identifies the row while its name changes. */
  row: string;
  name: string;
  test: ClaimTest;
  value: string;
}

export interface TrustDraft {
  preset: string | null;
  issuer: string;
  subject: string;
  audience: string;
  otherAudiences: boolean;
  claims: readonly ClaimDraft[];
  lifeSeconds: string;
  reuse: TrustRuleJson['reuse'];
  keysFrom: TrustedKeys['from'];
  keysUrl: string;
  jwks: string;
}

/** An hour: the longest life that most issuers give. */
const LIFE_SECONDS = '3600';

export function emptyDraft(audience: string): TrustDraft {
  return {
    preset: null,
    issuer: '',
    subject: '',
    audience,
    otherAudiences: false,
    claims: [],
    lifeSeconds: LIFE_SECONDS,
    reuse: 'once',
    keysFrom: 'discovery',
    keysUrl: '',
    jwks: '',
  };
}

export function newClaim(): ClaimDraft {
  return { row: crypto.randomUUID(), name: '', test: 'is', value: '' };
}

/** The draft of a rule like this one. */
export function draftOf(rule: TrustRuleJson): TrustDraft {
  return {
    preset: rule.preset,
    issuer: rule.issuer,
    subject: rule.subject,
    audience: rule.audience,
    otherAudiences: rule.other_audiences,
    claims: Object.entries(rule.claims).map(([name, match]) => ({
      ...newClaim(),
      name,
      ...claimDraftOf(match),
    })),
    lifeSeconds: String(rule.life_seconds_max),
    reuse: rule.reuse,
    keysFrom: rule.keys.from,
    keysUrl: rule.keys.from === 'url' ? rule.keys.url : '',
    jwks: rule.keys.from === 'inline' ? JSON.stringify(rule.keys.jwks, null, 2) : '',
  };
}

function claimDraftOf(match: ClaimMatch): Pick<ClaimDraft, 'test' | 'value'> {
  if (typeof match === 'string') return { test: 'is', value: match };
  if (typeof match === 'object' && 'prefix' in match) return { test: 'prefix', value: match.prefix };
  if (typeof match === 'object' && match.every((value) => typeof value === 'string' && !value.includes(',')))
    return { test: 'one_of', value: match.join(', ') };
  return { test: 'json', value: JSON.stringify(match) };
}

/** A text that is not the JSON that its field needs, by the member of the request. */
export type DraftFaults = ReadonlyMap<string, string>;

export function ruleOf(draft: TrustDraft): { rule: TrustRuleInput; faults: DraftFaults } {
  const faults = new Map<string, string>();
  const parsed = (member: string, text: string): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      faults.set(member, 'This is not JSON.');
      return '';
    }
  };
  const claims = draft.claims.filter(({ name, value }) => name.trim() !== '' || value.trim() !== '');
  const names = claims.map(({ name }) => name.trim());
  for (const [i, name] of names.entries())
    if (names.indexOf(name) < i) faults.set(`claims/${name}`, 'Two lines name this claim: use “is one of”.');
  const rule: TrustRuleInput = {
    preset: draft.preset,
    issuer: draft.issuer.trim(),
    subject: draft.subject.trim(),
    audience: draft.audience.trim(),
    other_audiences: draft.otherAudiences,
    claims: Object.fromEntries(
      claims.map((claim) => {
        const name = claim.name.trim();
        return [name, matchOf(claim, (text) => parsed(`claims/${name}`, text) as ClaimMatch)];
      }),
    ),
    life_seconds_max: Number(draft.lifeSeconds),
    reuse: draft.reuse,
    keys: keysOf(draft, (text) => parsed('keys', text) as JsonWebKeySet),
  };
  return { rule, faults };
}

function matchOf({ test, value }: ClaimDraft, json: (text: string) => ClaimMatch): ClaimMatch {
  const text = value.trim();
  switch (test) {
    case 'is':
      return text;
    case 'prefix':
      return { prefix: text };
    case 'one_of':
      return text
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== '');
    case 'json':
      return json(text);
  }
}

function keysOf({ keysFrom, keysUrl, jwks }: TrustDraft, json: (text: string) => JsonWebKeySet): TrustedKeys {
  if (keysFrom === 'discovery') return { from: 'discovery' };
  return keysFrom === 'url'
    ? { from: 'url', url: keysUrl.trim() }
    : { from: 'inline', jwks: json(jwks.trim()) };
}

/** What a rule lets in, as the end of a sentence. */
export function ruleText(rule: TrustRuleInput): string {
  return trustRuleText(trustRuleFromJson(rule, rule.audience ?? ''));
}
