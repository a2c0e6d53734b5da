import type { AlgorithmFacts, AssertionAlgorithm } from './assertion-algorithm.ts';
import { algorithmsOfCryptoKey, algorithmsOfJwk } from './assertion-algorithm.ts';
import type { Bytes } from './base64url.ts';
import { base64url, utf8Bytes } from './base64url.ts';
import { ConfigurationError } from './configuration-error.ts';
import { parseJson } from './inline-response-200.ts';
import { property } from './redaction.ts';

/** WebCrypto's type. Its name is global in some type libraries only. */
export type WebCryptoKey = Parameters<typeof globalThis.crypto.subtle.sign>[1];

/** A private key as JWK (RFC 7517). */
export interface PrivateJwk {
  readonly kty?: string | undefined;
  readonly crv?: string | undefined;
  readonly d?: string | undefined;
  readonly x?: string | undefined;
  readonly y?: string | undefined;
  readonly n?: string | undefined;
  readonly e?: string | undefined;
  readonly kid?: string | undefined;
  readonly alg?: string | undefined;
}

/** A key that is ready to sign. */
export interface SigningKey {
  readonly facts: AlgorithmFacts;
  readonly kid: string | undefined;
  sign(data: Bytes): Promise<Uint8Array>;
}

/** What the program says of a key, and the option or file that errors name. */
export interface KeyChoice {
  readonly option: string;
  readonly alg: AssertionAlgorithm | undefined;
  readonly kid: string | undefined;
}

const RSA_BITS_MIN = 2048;
const RSA_BITS_MAX = 4096;
const SUPPORTED = 'use P-256, P-384, Ed25519, or RSA of 2048 to 4096 bits';
/** A PKCS #8 file names its key's type within its first bytes (RFC 5958 §2). */
const KEY_TYPE_BYTES = 48;

/** Object identifiers of key types in DER, and the JWK members that they stand for. */
const keyTypes: readonly (readonly [oid: string, kty: string, crv?: string])[] = [
  ['06072a8648ce3d020106082a8648ce3d030107', 'EC', 'P-256'],
  ['06072a8648ce3d020106052b81040022', 'EC', 'P-384'],
  ['06032b6570', 'OKP', 'Ed25519'],
  ['06092a864886f70d010101', 'RSA'],
];

/** Members of the public key that its thumbprint covers, in the order of RFC 7638 §3.2. */
const thumbprintMembers: Record<string, readonly string[]> = {
  EC: ['crv', 'kty', 'x', 'y'],
  OKP: ['crv', 'kty', 'x'],
  RSA: ['e', 'kty', 'n'],
};
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi'];

/** Reads a private key as PEM (PKCS #8) or as a JWK in JSON. */
export async function keyFromText(text: string, choice: KeyChoice): Promise<SigningKey> {
  if (!/^\s*\{/.test(text)) return keyFromPem(text, choice);
  const jwk = parseJson(text);
  if (typeof jwk !== 'object' || jwk === null) throw new ConfigurationError(choice.option, 'is not JSON');
  return keyFromJwk(jwk, choice);
}

async function keyFromPem(text: string, choice: KeyChoice): Promise<SigningKey> {
  const blocks = [...text.matchAll(/-----BEGIN ([A-Z\d ]+)-----([^-]+)-----END \1-----/g)];
  const [, , base64 = ''] = blocks.find(([, label]) => label === 'PRIVATE KEY') ?? [];
  if (!base64) throw new ConfigurationError(choice.option, pemProblem(blocks.map(([, label = '']) => label)));
  const der = await usable(choice, async () =>
    Uint8Array.from(atob(base64.replace(/\s/g, '')), (character) => character.charCodeAt(0)),
  );
  const start = Array.from(der.subarray(0, KEY_TYPE_BYTES), (byte) => byte.toString(16).padStart(2, '0'));
  const [, kty, crv] = keyTypes.find(([oid]) => start.join('').includes(oid)) ?? [];
  const [facts] = algorithmsOfJwk({ kty, crv });
  if (!facts) throw new ConfigurationError(choice.option, `has an unknown type: ${SUPPORTED}`);
  const jwk = await usable(choice, async ({ subtle }) =>
    subtle.exportKey('jwk', await subtle.importKey('pkcs8', der, facts.parameters, true, ['sign'])),
  );
  // WebCrypto adds the `alg` of the import, which the file does not name.
  return keyFromJwk({ ...jwk, alg: undefined }, choice);
}

function pemProblem(labels: string[]): string {
  const label = labels.find((each) => each.endsWith('PRIVATE KEY')) ?? labels[0];
  if (!label) return 'is neither a private key as PEM nor a JWK';
  if (!label.endsWith('PRIVATE KEY')) return `is a ${label}: give the private key`;
  return `is a PEM of type ${label}: write it as PKCS #8 with openssl pkcs8 -topk8 -nocrypt -in <file>`;
}

export async function keyFromJwk(jwk: PrivateJwk, choice: KeyChoice): Promise<SigningKey> {
  const { option } = choice;
  const allowed = algorithmsOfJwk(jwk);
  if (!allowed[0]) throw new ConfigurationError(option, `has a type that is not supported: ${SUPPORTED}`);
  if (!jwk.d) throw new ConfigurationError(option, 'is a public key: give the private key');
  if (choice.alg && jwk.alg && choice.alg !== jwk.alg)
    throw new ConfigurationError('alg', `is not the one that the key names: ${jwk.alg}`);
  const facts = chosen(allowed, jwk.alg ?? choice.alg);
  const publicMembers = thumbprintMembers[facts.keyType] ?? [];
  // Other members, such as `key_ops`, could forbid the import.
  const members = select(jwk, [...publicMembers, ...privateMembers]);
  const key = await usable(choice, ({ subtle }) =>
    subtle.importKey('jwk', members, facts.parameters, false, ['sign']),
  );
  const kid = choice.kid ?? jwk.kid ?? (await thumbprint(select(jwk, publicMembers)));
  return keyFromCryptoKey(key, { ...choice, alg: facts.alg, kid });
}

/** `publicKey`, if there is one, gives the thumbprint; a key that cannot be exported has none. */
export async function keyFromCryptoKey(
  key: WebCryptoKey,
  choice: KeyChoice,
  publicKey: WebCryptoKey = key,
): Promise<SigningKey> {
  const { option } = choice;
  const facts = chosen(algorithmsOfCryptoKey(key.algorithm), choice.alg, option);
  if (!key.usages.includes('sign')) throw new ConfigurationError(option, 'does not allow signing');
  const bits = property(key.algorithm, 'modulusLength');
  if (typeof bits === 'number' && (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX))
    throw new ConfigurationError(option, `has ${bits} bits: ${SUPPORTED}`);
  let { kid } = choice;
  if (!kid && publicKey.extractable) {
    const jwk = await usable(choice, ({ subtle }) => subtle.exportKey('jwk', publicKey));
    kid = await thumbprint(select(jwk, thumbprintMembers[facts.keyType] ?? []));
  }
  const sign = async (data: Bytes) =>
    new Uint8Array(await globalThis.crypto.subtle.sign(facts.parameters, key, data));
  return { facts, kid, sign };
}

function chosen(allowed: readonly AlgorithmFacts[], alg: string | undefined, option = 'key'): AlgorithmFacts {
  const facts = alg === undefined ? allowed[0] : allowed.find((each) => each.alg === alg);
  if (facts) return facts;
  if (!allowed[0]) throw new ConfigurationError(option, `has a type that is not supported: ${SUPPORTED}`);
  const names = allowed.map((each) => each.alg).join(' or ');
  throw new ConfigurationError('alg', `must be ${names} for this key, not ${alg}`);
}

/** The errors of WebCrypto do not say what to do, and some quote what they could not read. */
async function usable<T>({ option }: KeyChoice, use: (crypto: Crypto) => Promise<T>): Promise<T> {
  if (!(globalThis.crypto as Crypto | undefined)?.subtle)
    throw new ConfigurationError(option, 'needs WebCrypto, which browsers have on https pages only');
  try {
    return await use(globalThis.crypto);
  } catch {
    throw new ConfigurationError(option, `is damaged, or of a type that this runtime lacks: ${SUPPORTED}`);
  }
}

type Crypto = typeof globalThis.crypto;

/** RFC 7638: SHA-256 over the required members in their order. */
async function thumbprint(members: object): Promise<string> {
  const digest = await globalThis.crypto.subtle.digest('SHA-256', utf8Bytes(JSON.stringify(members)));
  return base64url(new Uint8Array(digest));
}

function select(jwk: object, names: readonly string[]): Record<string, string> {
  const members = names.map((name): [string, unknown] => [name, property(jwk, name)]);
  return Object.fromEntries(
    members.filter((member): member is [string, string] => typeof member[1] === 'string'),
  );
}
