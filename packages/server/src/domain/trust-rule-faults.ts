import { characterProblem, hasSurroundingSpace } from './characters.ts';
import { claimNameProblem } from './claim-name.ts';
import type { Fault } from './fault.ts';
import { readJwk } from './public-key.ts';
import { sharedIssuerOf } from './shared-issuer.ts';
import { trustRuleText } from './trust-rule-text.ts';
import type { ClaimMatch, TrustedKeys, TrustRule } from './trust-rule.ts';

/** Characters of an issuer, subject, audience, URL or value of a claim. */
const TEXT_LENGTH_MAX = 512;
/** Characters of the URL of an API user's own key set. */
export const URL_LENGTH_MAX = 2000;
const CLAIMS_MAX = 16;
/** Values that a rule allows for one claim. */
const VALUES_MAX = 32;
/** Inline keys of a rule. */
export const INLINE_KEYS_MAX = 32;
/** A token that is valid for longer is as good as a secret. */
export const TRUST_LIFE_SECONDS_MAX = 86_400;

/**
 * Names of branches and tags: only people with write access to the repository choose them. A prefix of them
 * may end anywhere: `refs/tags/v*`.
 */
const NAMES_INSIDE: ReadonlySet<string> = new Set(['ref', 'ref_path']);

type Problem = [member: string, problem: string | null];

/** All faults of a rule, with members as in its JSON. `force` lets a rule match more than is safe. */
export function trustRuleFaults(rule: TrustRule, { force }: { force: boolean }): Fault[] {
  const { preset, issuer, subject, audience, claims, lifeSecondsMax, keys } = rule;
  const problems: Problem[] = [
    ['preset', preset === null ? null : textProblem('preset', preset)],
    ['issuer', textProblem('issuer', issuer) ?? (keys.from === 'discovery' ? urlProblem(issuer) : null)],
    ['subject', textProblem('subject', subject) ?? subjectProblem(subject)],
    ['audience', textProblem('audience', audience)],
    ['claims', claimCountProblem(Object.keys(claims).length)],
    ...Object.entries(claims).map(([name, match]): Problem => {
      const problem = claimNameProblem(name) ?? matchProblem(name, match);
      return [`claims/${name}`, problem === null ? null : `Claim ${JSON.stringify(name)}: ${problem}`];
    }),
    ['life_seconds_max', lifeProblem(lifeSecondsMax)],
    ...keyProblems(keys),
    ...(force ? [] : breadthProblems(rule)),
  ];
  return problems.flatMap(([member, problem]) => (problem === null ? [] : [{ member, problem }]));
}

function textProblem(what: string, text: string, lengthMax: number = TEXT_LENGTH_MAX): string | null {
  if (text === '' || text.length > lengthMax) return `The ${what} has 1 to ${lengthMax} characters.`;
  if (hasSurroundingSpace(text)) return `The ${what} begins or ends with a space: remove it.`;
  return characterProblem(what, text);
}

/** Why a text is not a URL to fetch keys from; null if it is. */
export function urlProblem(text: string): string | null {
  const problem = textProblem('URL', text, URL_LENGTH_MAX);
  if (problem !== null) return problem;
  const url = URL.parse(text);
  if (url?.protocol !== 'https:') return `${JSON.stringify(text)} is not a URL that begins with https://.`;
  // The URL is not quoted: the password is a secret.
  return url.username !== '' || url.password !== '' || text.includes('#')
    ? `The URL of ${url.host} has a user name, a password or a fragment: remove it.`
    : null;
}

function subjectProblem(subject: string): string | null {
  const star = subject.indexOf('*');
  if (star >= 0 && star < subject.length - 1)
    return `A * stands for the rest of the subject, so it comes last: ${JSON.stringify(subject)} has one before.`;
  return star > 0 ? prefixProblem(subject.slice(0, -1), ':/') : null;
}

/** A prefix that ends within a name would also let in longer names, which strangers may choose. */
function prefixProblem(prefix: string, ends: string): string | null {
  if (prefix === '') return 'A prefix has at least one character.';
  return ends.includes(prefix.slice(-1))
    ? null
    : `The prefix ${JSON.stringify(prefix)} ends within a name, so it also matches longer names: end it with ` +
        `${Array.from(ends).join(' or ')}, or give the whole value.`;
}

function claimCountProblem(count: number): string | null {
  return count > CLAIMS_MAX ? `The rule has ${count} claims; at most ${CLAIMS_MAX} are allowed.` : null;
}

function matchProblem(name: string, match: ClaimMatch): string | null {
  if (typeof match === 'object' && 'prefix' in match) {
    const problem = textProblem('prefix', match.prefix);
    return problem ?? (NAMES_INSIDE.has(name) ? null : prefixProblem(match.prefix, ':/@'));
  }
  const values = typeof match === 'object' ? match : [match];
  if (values.length === 0 || values.length > VALUES_MAX)
    return `A claim has 1 to ${VALUES_MAX} values; this one has ${values.length}.`;
  for (const value of values) {
    if (typeof value === 'number' && !Number.isFinite(value)) return 'A number must be finite.';
    const problem = typeof value === 'string' ? valueProblem(value) : null;
    if (problem !== null) return problem;
  }
  return null;
}

function valueProblem(value: string): string | null {
  return value.endsWith('*')
    ? `The value ${JSON.stringify(value)} would be compared with its *. For a prefix, give {"prefix": …}.`
    : textProblem('value', value);
}

function lifeProblem(seconds: number): string | null {
  return Number.isInteger(seconds) && seconds >= 1 && seconds <= TRUST_LIFE_SECONDS_MAX
    ? null
    : `The longest life is a whole number of seconds from 1 to ${TRUST_LIFE_SECONDS_MAX}.`;
}

function keyProblems(keys: TrustedKeys): Problem[] {
  if (keys.from === 'discovery') return [];
  if (keys.from === 'url') return [['keys/url', textProblem('URL', keys.url) ?? urlProblem(keys.url)]];
  const all: readonly unknown[] = keys.jwks.keys;
  if (all.length === 0 || all.length > INLINE_KEYS_MAX)
    return [['keys/jwks', `The key set has 1 to ${INLINE_KEYS_MAX} keys; this one has ${all.length}.`]];
  return all.flatMap((key, index) => {
    const outcome = readJwk(key);
    if (!Array.isArray(outcome)) return [];
    return outcome.map(({ problem }): Problem => [`keys/jwks/keys/${index}`, problem]);
  });
}

/** Why a rule lets in more than is safe. */
function breadthProblems(rule: TrustRule): Problem[] {
  const forced = `Forced, it lets in ${trustRuleText(rule)}.`;
  const shared = sharedIssuerOf(rule);
  return [
    [
      'subject',
      rule.subject === '*'
        ? `A * alone lets in every token of the issuer that has the claims. ${forced}`
        : null,
    ],
    [
      'claims',
      shared === null || shared.isBound(rule)
        ? null
        : `Anyone can get tokens of ${shared.name}, and a name can pass to someone else. Give the exact value of ` +
          `${shared.ids}. ${forced}`,
    ],
  ];
}
