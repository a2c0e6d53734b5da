import { generateKeyPairSync, KeyObject, randomBytes } from 'node:crypto';
import type { Assertion } from '../domain/assertion.ts';
import { ASSERTION_FACTS, type AssertionAlgorithm } from '../domain/assertion-algorithm.ts';
import { keyObjectOf } from '../domain/public-key.ts';
import type { PublicJwk } from '../domain/trust-rule.ts';

/** The outcome of one verification of a signature. */
export interface SignatureOutcome {
  isRight: boolean;
  /** True if the key came from memory: a refusal must still spend the time of parsing a key. */
  owesParsing: boolean;
}

/**
 * Verifies signatures of assertions so that the time reveals nothing about the API user. A refused request
 * costs exactly one verification and one parsing of a key, which depend on the assertion alone.
 */
export interface SignatureCheck {
  /** A dummy takes the place of a missing key (null). */
  verify(assertion: Assertion, key: PublicJwk | KeyObject | null): SignatureOutcome;
  /** Call it for each assertion that is refused after `verify`. */
  settle(assertion: Assertion, outcome: SignatureOutcome): void;
}

/** An assertion with an unknown algorithm costs as much as one with this. */
const DEFAULT_ALGORITHM = 'ES256';

/** `keysMax`: how many keys of API users are kept parsed, since parsing costs a third of a verification. */
export function createSignatureCheck(keysMax: number): SignatureCheck {
  const parsed = new Map<string, KeyObject>();
  const dummies = createDummies();

  function remember(text: string, key: KeyObject): void {
    if (parsed.size >= keysMax) parsed.clear();
    parsed.set(text, key);
  }

  return {
    verify(assertion, key) {
      const { signed, signature } = assertion;
      const algorithm = assertion.algorithm ?? DEFAULT_ALGORITHM;
      const dummy = dummies(algorithm, signature.length);
      const source = canVerify(key ?? dummy, signature) ? (key ?? dummy) : dummy;
      const text = source instanceof KeyObject ? null : textOf(source);
      const kept = source instanceof KeyObject ? source : text === null ? undefined : parsed.get(text);
      const publicKey = kept ?? keyObjectOf(source as PublicJwk);
      const isRight = ASSERTION_FACTS[algorithm].verify(signed, publicKey, signature) && source === key;
      if (isRight && text !== null && kept === undefined) remember(text, publicKey);
      return { isRight, owesParsing: kept !== undefined };
    },
    settle({ algorithm, signature }, { owesParsing }) {
      if (owesParsing) keyObjectOf(dummies(algorithm ?? DEFAULT_ALGORITHM, signature.length));
    },
  };
}

/**
 * The key in the memory of parsed keys. Null for RSA: a key that was used before verifies faster than a new
 * one, so every check needs a new one.
 */
function textOf({ kty, x, y }: PublicJwk): string | null {
  return kty === 'RSA' ? null : `${x ?? ''} ${y ?? ''}`;
}

/**
 * False if RSA refuses the signature without a calculation, because the modulus has a different length, or
 * is not above the signature (RFC 8017 §8.2.2). A dummy then takes its place. Otherwise a fast refusal would
 * reveal that the API user has a key.
 */
function canVerify(key: PublicJwk | KeyObject, signature: Buffer): boolean {
  const modulus = key instanceof KeyObject ? modulusOf(key) : key.n && Buffer.from(key.n, 'base64url');
  return !modulus || (signature.length === modulus.length && signature.compare(modulus) < 0);
}

/** Moduli of issuers' keys: an export takes as long as a verification. */
const moduli = new WeakMap<KeyObject, Buffer>();

function modulusOf(key: KeyObject): Buffer | null {
  if (key.asymmetricKeyType !== 'rsa') return null;
  const modulus = moduli.get(key) ?? Buffer.from(key.export({ format: 'jwk' }).n ?? '', 'base64url');
  moduli.set(key, modulus);
  return modulus;
}

/** The key that takes the place of a missing one: for this algorithm, and this length of the signature. */
type Dummies = (algorithm: AssertionAlgorithm, signatureBytes: number) => PublicJwk;

/** Bytes of the moduli that registered RSA keys may have: 2048 to 4096 bits. */
const MODULUS_BYTES_MIN = 256;
const MODULUS_BYTES_MAX = 512;

function createDummies(): Dummies {
  const curves = {
    'P-256': jwkOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey),
    'P-384': jwkOf(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey),
    Ed25519: jwkOf(generateKeyPairSync('ed25519').publicKey),
  };
  const rsa = new Map<number, PublicJwk>();
  return (algorithm, signatureBytes) => {
    const { curve } = ASSERTION_FACTS[algorithm];
    if (curve !== null) return curves[curve];
    const isModulus = signatureBytes >= MODULUS_BYTES_MIN && signatureBytes <= MODULUS_BYTES_MAX;
    const bytes = isModulus ? signatureBytes : MODULUS_BYTES_MIN;
    const jwk = rsa.get(bytes) ?? rsaJwk(bytes);
    rsa.set(bytes, jwk);
    return jwk;
  };
}

function jwkOf(key: KeyObject): PublicJwk {
  return key.export({ format: 'jwk' }) as PublicJwk;
}

/** Leading bytes of a dummy's modulus: one signature in 2^64 is not below it. */
const LARGE_BYTES = 8;

/**
 * Its modulus is nearly the largest of this length, so it refuses almost no signature without a calculation.
 * The rest is random and odd, as in a real key: a calculation with the largest one takes less time.
 */
function rsaJwk(bytes: number): PublicJwk {
  const modulus = randomBytes(bytes).fill(0xff, 0, LARGE_BYTES);
  modulus[bytes - 1] = 1 | (modulus[bytes - 1] ?? 0);
  return { kty: 'RSA', n: modulus.toString('base64url'), e: 'AQAB' };
}
