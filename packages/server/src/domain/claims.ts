import type { Fault } from './fault.ts';

/** Static claims of access tokens: names and JSON values. Operators set them. */
export type Claims = Readonly<Record<string, unknown>>;

export const NO_CLAIMS: Claims = {};

/**
 * JSON text of the claims of one API user, organisation or audience, in bytes. A token with all three stays
 * below TOKEN_BYTES_MAX (token-preview.ts), unless its scope is long.
 */
export const CLAIMS_BYTES_MAX = 768;
/** Claims of one API user, organisation or audience. */
export const CLAIMS_MAX = 32;
/** Objects and lists inside each other, the claims themselves included. */
export const CLAIMS_DEPTH_MAX = 5;
export const CLAIM_LENGTH_MAX = 100;

/** A name: letters, digits and what URLs and XML names use. Names with other characters could look alike. */
const CLAIM_NAME = /^[A-Za-z][A-Za-z0-9_.:/#-]*$/;

/** Names with a meaning of their own, in lower case. A resource server may rely on any of them. */
const RESERVED = new Set(
  [
    // RFC 7519 §4.1
    'iss sub aud exp nbf iat jti',
    // RFC 9068 §2.2
    'client_id scope auth_time acr amr groups roles entitlements',
    // RFC 8693 §4, RFC 7800 §3, RFC 9396 §9, RFC 9470, RFC 8417 §2.2, RFC 9449 §6
    'act may_act cnf authorization_details events toe txn htm htu ath nonce',
    // RFC 7662 §2.2
    'active username token_type',
    // OpenID Connect Core §2
    'azp sid at_hash c_hash s_hash',
    // Ours, and other spellings that resource servers read.
    'org_id scopes scp',
    // Names that programs confuse with members of every object.
    'constructor prototype tostring valueof hasownproperty tojson',
  ].flatMap((names) => names.split(' ')),
);

/** All faults of claims that an operator sets; empty if there are none. `member`: their path in the input. */
export function claimsFaults(claims: unknown, member = 'claims'): Fault[] {
  if (!isPlainObject(claims)) return [{ member, problem: 'Claims are a JSON object: {"tier": "gold"}.' }];
  const names = Object.keys(claims);
  if (names.length > CLAIMS_MAX)
    return [{ member, problem: `There are ${names.length} claims: at most ${CLAIMS_MAX}.` }];
  const faults = [
    ...nameFaults(names, member),
    ...names.flatMap((name) => valueFaults(claims, name, member)),
  ];
  if (faults.length > 0) return faults;
  const bytes = Buffer.byteLength(JSON.stringify(claims));
  return bytes <= CLAIMS_BYTES_MAX
    ? []
    : [{ member, problem: `The claims take ${bytes} bytes as JSON: at most ${CLAIMS_BYTES_MAX}.` }];
}

/** The claims of a token: of two claims with the same name, the more specific one wins as a whole. */
export function mergedClaims(audience: Claims, organisation: Claims, apiUser: Claims): Claims {
  return { ...audience, ...organisation, ...apiUser };
}

function nameFaults(names: readonly string[], member: string): Fault[] {
  const seen = new Set<string>();
  return names.flatMap((name) => {
    const problem = nameProblem(name) ?? (seen.has(name.toLowerCase()) ? twice(name) : null);
    seen.add(name.toLowerCase());
    return problem === null ? [] : [{ member: `${member}/${name}`, problem }];
  });
}

function nameProblem(name: string): string | null {
  if (name.length > CLAIM_LENGTH_MAX) return `The name has more than ${CLAIM_LENGTH_MAX} characters.`;
  if (!CLAIM_NAME.test(name))
    return `"${name.toWellFormed()}" is no name of a claim: a letter, then letters, digits and any of "_.:/#-".`;
  return RESERVED.has(name.toLowerCase())
    ? `The claim "${name}" has a meaning in access tokens: choose another name.`
    : null;
}

function twice(name: string): string {
  return `Another claim has the name "${name}" in other letter case: keep one of them.`;
}

function valueFaults(claims: Readonly<Record<string, unknown>>, name: string, member: string): Fault[] {
  const problem = valueProblem(claims[name]);
  return problem === null ? [] : [{ member: `${member}/${name}`, problem }];
}

/** A loop, because the sender decides how deep the value nests. */
function valueProblem(root: unknown): string | null {
  const open: [value: unknown, depth: number][] = [[root, 2]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [value, depth] = next;
    const problem = isLeaf(value) ? leafProblem(value) : branchProblem(value, depth);
    if (problem !== null) return problem;
    if (!isLeaf(value)) for (const inner of Object.values(value as object)) open.push([inner, depth + 1]);
  }
  return null;
}

function isLeaf(value: unknown): boolean {
  return typeof value !== 'object' || value === null;
}

function leafProblem(value: unknown): string | null {
  if (value === null || typeof value === 'boolean') return null;
  if (typeof value === 'string') return textProblem(value);
  if (typeof value !== 'number' || !Number.isFinite(value)) return 'A claim has a JSON value.';
  // Some programs read JSON numbers as 64-bit floats, others as integers.
  return Number.isInteger(value) && !Number.isSafeInteger(value)
    ? `The number ${value} is beyond 2^53, where programs read different numbers: write it as a text.`
    : null;
}

function branchProblem(value: unknown, depth: number): string | null {
  if (depth > CLAIMS_DEPTH_MAX) return `It nests deeper than ${CLAIMS_DEPTH_MAX} levels.`;
  if (Array.isArray(value)) return null;
  if (!isPlainObject(value)) return 'A claim has a JSON value.';
  for (const name of Object.keys(value)) {
    if (name === '' || name === '__proto__') return `"${name}" is no name of a member: choose another.`;
    const problem = textProblem(name);
    if (problem !== null) return problem;
  }
  return null;
}

function textProblem(text: string): string | null {
  if (!text.isWellFormed()) return 'It holds half of a character (a lone surrogate): remove it.';
  return text.includes('\0') ? 'It holds the character NUL: remove it.' : null;
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
