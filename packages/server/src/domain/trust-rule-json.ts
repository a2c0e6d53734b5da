import type { Fault } from './fault.ts';
import { readJwk } from './public-key.ts';
import type { ClaimMatch, TrustedKeys, TrustRule } from './trust-rule.ts';

/** A trust rule in JSON: the one spelling of export, admin API and audit log. */
export interface TrustRuleJson {
  preset: string | null;
  issuer: string;
  subject: string;
  audience: string;
  other_audiences: boolean;
  claims: Readonly<Record<string, ClaimMatch>>;
  life_seconds_max: number;
  reuse: TrustRule['reuse'];
  keys: TrustedKeys;
}

/** A trust rule to create. */
export type TrustRuleInput = Partial<TrustRuleJson> & Pick<TrustRuleJson, 'issuer' | 'subject'>;

export const TRUST_REUSES: readonly TrustRule['reuse'][] = ['once', 'until_expired'];

/** The longest life of tokens if the rule does not say it. */
const LIFE_SECONDS_DEFAULT = 3600;

export function trustRuleJson(rule: TrustRule): TrustRuleJson {
  return {
    preset: rule.preset,
    issuer: rule.issuer,
    subject: rule.subject,
    audience: rule.audience,
    other_audiences: rule.otherAudiences,
    claims: rule.claims,
    life_seconds_max: rule.lifeSecondsMax,
    reuse: rule.reuse,
    keys: rule.keys,
  };
}

/** The rule that JSON of the right shape says. `audience` is that of a rule without one. */
export function trustRuleFromJson(json: TrustRuleInput, audience: string): TrustRule {
  return {
    preset: json.preset ?? null,
    issuer: json.issuer,
    subject: json.subject,
    audience: json.audience ?? audience,
    otherAudiences: json.other_audiences ?? false,
    claims: json.claims ?? {},
    lifeSecondsMax: json.life_seconds_max ?? LIFE_SECONDS_DEFAULT,
    reuse: json.reuse ?? 'once',
    keys: json.keys ?? { from: 'discovery' },
  };
}

/** Checks the types of a rule in JSON that no schema has checked. `trustRuleFaults` checks the values. */
export function trustRuleShapeFaults(value: unknown): Fault[] {
  if (!isObject(value)) return [{ member: '', problem: 'A trust rule is a JSON object.' }];
  const unknown = Object.keys(value).filter((name) => !Object.hasOwn(MEMBERS, name));
  return [
    ...unknown.map((name) => ({ member: name.slice(0, NAME_SHOWN), problem: 'This member is not known.' })),
    ...Object.entries(MEMBERS).flatMap(([member, { is, fits }]) =>
      fits(value[member]) ? [] : [{ member, problem: `This must be ${is}.` }],
    ),
  ];
}

const NAME_SHOWN = 100;

interface Member {
  /** Completes the sentence "This must be …". */
  is: string;
  fits(value: unknown): boolean;
}

const isText = (value: unknown): value is string => typeof value === 'string';
const text: Member = { is: 'a text', fits: isText };

const MEMBERS: Readonly<Record<keyof TrustRuleJson, Member>> = {
  preset: { is: 'a text, or null', fits: (value) => value === null || isText(value) },
  issuer: text,
  subject: text,
  audience: text,
  other_audiences: { is: 'true or false', fits: (value) => typeof value === 'boolean' },
  claims: {
    is: 'an object of values, lists of values, and prefixes',
    fits: (value) => isObject(value) && Object.values(value).every(isMatch),
  },
  life_seconds_max: { is: 'a number', fits: (value) => typeof value === 'number' },
  reuse: { is: TRUST_REUSES.join(' or '), fits: (value) => TRUST_REUSES.some((each) => each === value) },
  keys: { is: 'an object with `from`, and `url` or `jwks`', fits: isTrustedKeys },
};

function isMatch(value: unknown): boolean {
  if (isObject(value)) return Object.keys(value).length === 1 && isText(value['prefix']);
  return Array.isArray(value) ? value.every(isClaimValue) : isClaimValue(value);
}

function isClaimValue(value: unknown): boolean {
  return ['string', 'number', 'boolean'].includes(typeof value);
}

function isTrustedKeys(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { from, url, jwks } = value;
  if (from === 'url') return isText(url);
  if (from === 'inline') return isObject(jwks) && Array.isArray(jwks['keys']) && jwks['keys'].every(isObject);
  return from === 'discovery';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The rule as it is stored: of its keys, only public members in the canonical form. */
export function storedRule(rule: TrustRule): TrustRule {
  return { ...rule, keys: storedKeys(rule.keys) };
}

function storedKeys(keys: TrustedKeys): TrustedKeys {
  if (keys.from === 'discovery') return { from: 'discovery' };
  if (keys.from === 'url') return { from: 'url', url: keys.url };
  const own = keys.jwks.keys.flatMap((key) => {
    const outcome = readJwk(key);
    return Array.isArray(outcome) ? [] : [outcome.jwk];
  });
  return { from: 'inline', jwks: { keys: own } };
}
