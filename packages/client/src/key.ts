import type { AssertionAlgorithm } from './assertion-algorithm.ts';
import { ALGORITHMS } from './assertion-algorithm.ts';
import type { Bytes } from './base64url.ts';
import { base64url, utf8Bytes } from './base64url.ts';
import { ConfigurationError } from './configuration-error.ts';
import { jwsSignature } from './ecdsa-signature.ts';
import { mustBePrintable } from './printable.ts';
import { property } from './redaction.ts';
import type { ClientAssertion } from './settings.ts';
import type { KeyChoice, PrivateJwk, SigningKey, WebCryptoKey } from './signing-key.ts';
import { keyFromCryptoKey, keyFromJwk, keyFromText } from './signing-key.ts';
import { readTextFile } from './text-file.ts';
import { check, pattern, text } from './validation.ts';

export type { AssertionAlgorithm, Bytes, PrivateJwk, WebCryptoKey };

/**
 * Signs in a key management service or hardware module. An ECDSA signature may be r and s (RFC 7518 §3.4), or
 * DER, which these services return.
 */
export type SignFunction = (
  data: Bytes,
  context: { readonly alg: AssertionAlgorithm; readonly signal: AbortSignal },
) => Promise<Uint8Array | ArrayBuffer>;

export interface PrivateKeyOptions {
  /**
   * A `CryptoKey` or pair of them, a JWK, a text (PEM in PKCS #8, or a JWK in JSON), a file with such a text,
   * or a function that signs. A file is read for each token, so a new key is noticed.
   */
  readonly key:
    | WebCryptoKey
    | { readonly privateKey: WebCryptoKey; readonly publicKey: WebCryptoKey }
    | PrivateJwk
    | string
    | { readonly file: string }
    | SignFunction;
  /**
   * Default: the `kid` of the JWK, or the thumbprint (RFC 7638). No default for a function, or for a single
   * `CryptoKey` that cannot be exported.
   */
  readonly kid?: string | undefined;
  /** Default: the algorithm of the key; PS256 for an RSA key in PEM. Required if `key` is a function. */
  readonly alg?: AssertionAlgorithm | undefined;
  /** The server's issuer. Default: the configuration's `host`. */
  readonly audience?: string | undefined;
}

/** An assertion lives for a minute, however long the server would accept it. */
const LIFE_SECONDS = 60;
const names = ALGORITHMS.map(({ alg }) => alg);
const rules = {
  key: text,
  kid: text,
  alg: pattern(RegExp(`^(${names.join('|')})$`), names.join(', ')),
  audience: text,
};

/**
 * Proves the caller with a private key (`private_key_jwt`, RFC 7523): the server knows the public key only.
 * `new Configuration({ clientId, clientAuthentication: privateKey({ key: { file } }) })`.
 *
 * @throws ConfigurationError that names the wrong option. A key that cannot be used fails the token request.
 */
export function privateKey(options: PrivateKeyOptions): ClientAssertion {
  // Without the key: a message about a wrong value quotes it.
  check({ ...options, key: undefined }, rules);
  const load = keyLoader(options);
  return async ({ clientId, configuration, signal }) => {
    const { facts, kid, sign } = await load(signal);
    const now = Math.floor(configuration.clock.now() / 1000);
    const claims = {
      iss: clientId,
      sub: clientId,
      aud: options.audience ?? configuration.host,
      jti: globalThis.crypto.randomUUID(),
      iat: now,
      exp: now + LIFE_SECONDS,
    };
    const header = { alg: facts.alg, typ: 'client-authentication+jwt', kid };
    const signed = [header, claims].map((part) => base64url(utf8Bytes(JSON.stringify(part)))).join('.');
    return `${signed}.${base64url(await sign(utf8Bytes(signed)))}`;
  };
}

type KeyLoader = (signal: AbortSignal) => Promise<SigningKey>;

function keyLoader({ key, alg, kid }: PrivateKeyOptions): KeyLoader {
  const choice: KeyChoice = { option: 'key', alg, kid };
  if (typeof key === 'function') return keyOfFunction(key, choice);
  if (typeof key === 'string') return remembered(() => keyFromText(key, choice));
  if ('file' in Object(key)) return keyOfFile(property(key, 'file'), choice);
  if (isCryptoKey(key)) return remembered(() => keyFromCryptoKey(key, choice));
  if ('privateKey' in Object(key)) {
    const pair = key as { readonly privateKey: WebCryptoKey; readonly publicKey: WebCryptoKey };
    return remembered(() => keyFromCryptoKey(pair.privateKey, choice, pair.publicKey));
  }
  if (typeof property(key, 'kty') === 'string')
    return remembered(() => keyFromJwk(key as PrivateJwk, choice));
  throw new ConfigurationError('key', 'must be a CryptoKey, a JWK, PEM, { file } or a function that signs');
}

function keyOfFunction(signFunction: SignFunction, { alg, kid }: KeyChoice): KeyLoader {
  const facts = ALGORITHMS.find((each) => each.alg === alg);
  if (!facts)
    throw new ConfigurationError('alg', 'is missing: name the algorithm of the function that signs');
  const sign = async (data: Bytes, signal: AbortSignal) => {
    const result: unknown = await signFunction(data, { alg: facts.alg, signal });
    const bytes = result instanceof ArrayBuffer ? new Uint8Array(result) : result;
    if (!(bytes instanceof Uint8Array))
      throw new ConfigurationError('key', 'must return bytes: a Uint8Array');
    const signature = facts.signatureBytes ? jwsSignature(bytes, facts.signatureBytes) : bytes;
    if (signature) return signature;
    throw new ConfigurationError(
      'key',
      `returned ${bytes.length} bytes, which are not a signature of ${alg}`,
    );
  };
  return async (signal) => ({ facts, kid, sign: (data) => sign(data, signal) });
}

function keyOfFile(path: unknown, choice: KeyChoice): KeyLoader {
  if (typeof path !== 'string' || !path) throw new ConfigurationError('key.file', 'must be a path');
  mustBePrintable('key.file', path);
  let last: { readonly content: string; readonly key: Promise<SigningKey> } | undefined;
  return async () => {
    const content = await readTextFile(path, 'is not a key');
    if (content !== last?.content) last = { content, key: keyFromText(content, { ...choice, option: path }) };
    return last.key;
  };
}

function remembered(load: () => Promise<SigningKey>): KeyLoader {
  let key: Promise<SigningKey> | undefined;
  return () => (key ??= load());
}

function isCryptoKey(key: unknown): key is WebCryptoKey {
  return typeof property(key, 'extractable') === 'boolean' && typeof property(key, 'algorithm') === 'object';
}
