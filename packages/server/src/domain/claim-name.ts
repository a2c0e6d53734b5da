import type { AssertionClaims } from './assertion.ts';

// The name of a claim in a trust rule: a member of the token, or a JSON Pointer that begins with a slash (RFC
// 6901), such as `/kubernetes.io/serviceaccount/uid`.

/** The members in a JSON Pointer, from the outside in; null if the name is not a valid pointer. */
function pathOf(name: string): string[] | null {
  if (!name.startsWith('/')) return [name];
  if (/~(?![01])/.test(name)) return null;
  const members = name.slice(1).split('/');
  return members.map((member) => member.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** The value of a claim; undefined if it is absent. A pointer leads through objects, not through lists. */
export function claimAt(claims: AssertionClaims, name: string): unknown {
  const path = pathOf(name);
  if (path === null) return undefined;
  let value: unknown = claims;
  for (const member of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    value = Object.hasOwn(value, member) ? (value as Record<string, unknown>)[member] : undefined;
  }
  return value;
}

/** The members of a trust rule that check these claims. */
const OWN_MEMBERS: Readonly<Record<string, string>> = {
  iss: 'issuer',
  sub: 'subject',
  aud: 'audience',
  exp: 'life_seconds_max',
  iat: 'life_seconds_max',
  nbf: 'life_seconds_max',
  jti: 'reuse',
};

export const CLAIM_NAME_LENGTH_MAX = 200;

/** Why a trust rule cannot check a claim of this name; null if it can. */
export function claimNameProblem(name: string): string | null {
  if (name === '' || name.length > CLAIM_NAME_LENGTH_MAX)
    return `The name of a claim has 1 to ${CLAIM_NAME_LENGTH_MAX} characters.`;
  const path = pathOf(name);
  if (path === null) return 'In a JSON Pointer, "~0" stands for a tilde and "~1" for a slash (RFC 6901).';
  const [outermost = '', ...inner] = path;
  const member = Object.hasOwn(OWN_MEMBERS, outermost) ? OWN_MEMBERS[outermost] : undefined;
  return member === undefined || inner.length > 0
    ? null
    : `The rule's ${member} checks "${outermost}": leave it out of the claims.`;
}
