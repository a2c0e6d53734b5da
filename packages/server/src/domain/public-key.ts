import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { ASSERTION_ALGORITHMS, ASSERTION_FACTS, type AssertionAlgorithm } from './assertion-algorithm.ts';
import { characterProblem, inQuotes } from './characters.ts';
import type { Fault } from './fault.ts';
import { holdsPrivateKey } from './private-key-text.ts';
import type { PublicJwk } from './trust-rule.ts';

/** A public key that proves an API user. */
export interface RegisteredKey {
  /** In the canonical form of its values (RFC 7518 §6). */
  jwk: PublicJwk;
  /** SHA-256 of the JWK, base64url, 43 characters (RFC 7638). */
  thumbprint: string;
}

/** The longest text of a key, in characters. The PEM of an RSA key of 4096 bits has 800. */
export const PUBLIC_KEY_LENGTH_MAX = 16_384;
const RSA_BITS_MIN = 2048;
const RSA_BITS_MAX = 4096;
/** 65537, the public exponent of every RSA key that is in use (base64url). */
const RSA_EXPONENT = 'AQAB';
const KEY_ID_LENGTH_MAX = 200;

/** The members of a JWK that hold a private or symmetric key (RFC 7518 §6). */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'];

/** The private key or secret is in our hands, and perhaps in a log or a shell history on the way. */
const LEAKED =
  'This is a private key. Treat it as leaked: generate another one (mintmark key generate), and send only its ' +
  'public key.';

/**
 * Reads a public key that a person registers: PEM, a JWK, or a JWKS with one key. Returns all faults, with
 * the member `public_key`.
 */
export function readPublicKey(text: string): RegisteredKey | Fault[] {
  const trimmed = text.replace(/^\ufeff/, '').trim();
  if (trimmed === '') return faults('There is no key: send a public key as PEM or as JWK.');
  if (trimmed.length > PUBLIC_KEY_LENGTH_MAX)
    return faults(
      `The key has ${trimmed.length} characters; the longest allowed has ${PUBLIC_KEY_LENGTH_MAX}.`,
    );
  const outcome = readText(trimmed);
  return Array.isArray(outcome) && holdsPrivateKey(trimmed) ? faults(LEAKED) : outcome;
}

function readText(trimmed: string): RegisteredKey | Fault[] {
  if (trimmed.startsWith('{')) return readJson(trimmed);
  return trimmed.includes('-----BEGIN ') ? readPem(trimmed) : faults(unreadableProblem(trimmed));
}

function unreadableProblem(text: string): string {
  return /^(ssh-|ecdsa-sha2-)/.test(text)
    ? 'This is a key of OpenSSH. Send a public key as PEM (-----BEGIN PUBLIC KEY-----) or as JWK: mintmark key ' +
        'generate makes a pair.'
    : 'This is neither PEM (-----BEGIN PUBLIC KEY-----) nor a JWK (a JSON object with "kty").';
}

function readPem(text: string): RegisteredKey | Fault[] {
  const labels = Array.from(text.matchAll(/-----BEGIN ([^-\n]+)-----/g), ([, label = '']) => label);
  if (labels.some((label) => label.endsWith('PRIVATE KEY'))) return faults(LEAKED);
  if (labels.length > 1) return faults(SEVERAL);
  const [label = ''] = labels;
  if (label.endsWith('CERTIFICATE')) {
    return faults(
      'This is a certificate. Send the public key in it: openssl x509 -in certificate.pem -noout -pubkey',
    );
  }
  if (label !== 'PUBLIC KEY') return faults(`This is ${inQuotes(label)}. Send "PUBLIC KEY" (RFC 7468 §13).`);
  let jwk: object;
  try {
    jwk = createPublicKey({ key: text, format: 'pem' }).export({ format: 'jwk' });
  } catch {
    return faults(
      'The PEM cannot be read, or its type of key is not supported: check that it was copied whole.',
    );
  }
  return readJwk(jwk);
}

const SEVERAL =
  'These are several keys. Register each by itself: each has its own name, expiry and last use.';

function readJson(text: string): RegisteredKey | Fault[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return faults('The JSON cannot be read: copy the key whole.');
  }
  const { keys } = value as { keys?: unknown };
  if (keys === undefined) return readJwk(value);
  if (!Array.isArray(keys) || keys.length === 0) return faults('The key set has no keys.');
  const all: readonly unknown[] = keys;
  if (all.some(isPrivate)) return faults(LEAKED);
  return all.length > 1 ? faults(SEVERAL) : readJwk(all[0]);
}

/**
 * Reads one public JWK. Returns all faults, with the member `public_key`. A `use` of `jwt-svid` counts as
 * `sig`: it is what the keys of a SPIFFE bundle have (SPIFFE trust domain and bundle §4).
 */
export function readJwk(value: unknown): RegisteredKey | Fault[] {
  if (!isObject(value)) return faults('A key is a JSON object with "kty" (RFC 7517).');
  if (isPrivate(value)) return faults(LEAKED);
  const problems = [typeProblem(value), useProblem(value), ...labelProblems(value)].filter(
    (problem) => problem !== null,
  );
  const canonical = problems.length === 0 ? canonicalJwk(value) : null;
  if (typeof canonical === 'string') problems.push(canonical);
  if (canonical === null || typeof canonical === 'string') return problems.flatMap(faults);
  return { jwk: canonical, thumbprint: thumbprintOf(canonical) };
}

function faults(problem: string): Fault[] {
  return [{ member: 'public_key', problem }];
}

type Members = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isPrivate(value: unknown): boolean {
  return (
    isObject(value) && (value['kty'] === 'oct' || PRIVATE_MEMBERS.some((name) => Object.hasOwn(value, name)))
  );
}

const SUPPORTED = 'Supported are EC with P-256 or P-384, OKP with Ed25519, and RSA.';

function typeProblem({ kty, crv }: Members): string | null {
  if (kty === 'RSA') return null;
  const curves = Object.values(ASSERTION_FACTS)
    .filter((facts) => facts.keyType === kty)
    .map((facts) => facts.curve);
  if (curves.length === 0) return `The type (kty) ${shown(kty)} is not supported. ${SUPPORTED}`;
  return curves.some((curve) => curve === crv)
    ? null
    : `The curve (crv) ${shown(crv)} is not supported for ${shown(kty)}. ${SUPPORTED}`;
}

function useProblem({ use, key_ops: operations }: Members): string | null {
  if (use !== undefined && use !== 'sig' && use !== 'jwt-svid')
    return `The key is for another use: ${shown(use)}, not "sig" (RFC 7517 §4.2).`;
  if (operations === undefined || (Array.isArray(operations) && operations.includes('verify'))) return null;
  return `The key is for other operations (key_ops): ${shown(operations)}, not "verify" (RFC 7517 §4.3).`;
}

function labelProblems(value: Members): string[] {
  const { kid, alg } = value;
  const problems: string[] = [];
  if (kid !== undefined && (typeof kid !== 'string' || kid === '' || kid.length > KEY_ID_LENGTH_MAX))
    problems.push(`The kid ${shown(kid)} is not a text of 1 to ${KEY_ID_LENGTH_MAX} characters.`);
  const characters = typeof kid === 'string' ? characterProblem('kid', kid) : null;
  if (characters !== null) problems.push(characters);
  const possible = algorithmsByType(value);
  if (alg !== undefined && possible.length > 0 && !possible.some((algorithm) => algorithm === alg))
    problems.push(
      `The algorithm (alg) ${shown(alg)} does not fit this key. It can be ${possible.join(' or ')}.`,
    );
  return problems;
}

/** The members of a key of each type in the order of their names (RFC 7638 §3.2, RFC 8037 §2). */
const MEMBERS: Readonly<Record<PublicJwk['kty'], readonly (keyof PublicJwk)[]>> = {
  EC: ['crv', 'kty', 'x', 'y'],
  OKP: ['crv', 'kty', 'x'],
  RSA: ['e', 'kty', 'n'],
};

function keyMembers(jwk: Members | PublicJwk): Record<string, string> {
  const members = { ...jwk } as Record<string, string>;
  const names = MEMBERS[members['kty'] as PublicJwk['kty']];
  return Object.fromEntries(names.map((name) => [name, members[name] ?? '']));
}

/** The key with canonical values, or why it is not a valid key. `value` passed the other checks. */
function canonicalJwk(value: Members): PublicJwk | string {
  const { kid, alg } = value as Partial<PublicJwk>;
  let exported: PublicJwk;
  try {
    const key = createPublicKey({ key: keyMembers(value), format: 'jwk' });
    exported = key.export({ format: 'jwk' }) as PublicJwk;
  } catch {
    return 'The numbers of the key are not those of a valid key: copy it whole.';
  }
  const problem = rsaProblem(exported) ?? smallOrderProblem(exported);
  if (problem !== null) return problem;
  return { ...exported, ...(kid === undefined ? {} : { kid }), ...(alg === undefined ? {} : { alg }) };
}

function rsaProblem({ kty, n = '', e }: PublicJwk): string | null {
  if (kty !== 'RSA') return null;
  const modulus = Buffer.from(n, 'base64url');
  const bits = modulus.length * 8 - (Math.clz32(modulus[0] ?? 0) - 24);
  if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
    return `The RSA key has ${bits} bits; it needs ${RSA_BITS_MIN} to ${RSA_BITS_MAX}.`;
  return e === RSA_EXPONENT ? null : 'The public exponent (e) of the RSA key is not 65537.';
}

/**
 * Points of Ed25519 with a small order, without the bit for the sign of x. One signature would be valid for
 * many texts under them, so everybody could sign.
 */
const SMALL_ORDER = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
]);

function smallOrderProblem({ kty, x = '' }: PublicJwk): string | null {
  if (kty !== 'OKP') return null;
  const point = Buffer.from(x, 'base64url');
  point[31] = (point[31] ?? 0) & 0x7f;
  return SMALL_ORDER.has(point.toString('hex')) ? 'The key is a point that everybody can sign for.' : null;
}

/** SHA-256 of a key, base64url (RFC 7638). */
export function thumbprintOf(jwk: PublicJwk): string {
  return createHash('sha256')
    .update(JSON.stringify(keyMembers(jwk)))
    .digest('base64url');
}

/** The algorithms that fit a key: the one that it names, or all of its type. */
export function algorithmsOf(jwk: PublicJwk): readonly AssertionAlgorithm[] {
  const possible = algorithmsByType({ ...jwk });
  return jwk.alg === undefined ? possible : possible.filter((algorithm) => algorithm === jwk.alg);
}

function algorithmsByType({ kty, crv }: Members): AssertionAlgorithm[] {
  return ASSERTION_ALGORITHMS.filter((algorithm) => {
    const { keyType, curve } = ASSERTION_FACTS[algorithm];
    return keyType === kty && (curve === null || curve === crv);
  });
}

export function keyObjectOf(jwk: PublicJwk): KeyObject {
  return createPublicKey({ key: keyMembers(jwk), format: 'jwk' });
}

/** A value of a person's input in a message, cut. */
function shown(value: unknown): string {
  if (value === undefined) return '(absent)';
  return inQuotes((typeof value === 'string' ? value : JSON.stringify(value)).slice(0, 60));
}
