import { importJWK, type CryptoKey, type JWK } from 'jose';
import { fits, isAlgorithm, type Algorithm } from './algorithms.ts';

const KEYS_MAX = 100;
const RSA_MODULUS_BYTES_MIN = 256;

/** A public key of the issuer. */
export interface PublicKey {
  readonly kid: string | undefined;
  /** False from the moment on when the issuer publishes it no longer: tokens verified with it are checked again. */
  live: boolean;
  fits(algorithm: Algorithm): boolean;
  cryptoKey(algorithm: Algorithm): CryptoKey | Promise<CryptoKey>;
  /** Equal for equal keys. */
  readonly material: string;
}

/**
 * The usable keys of a key set (RFC 7517 §5). Others are left out: keys for encryption, symmetric keys, keys too weak, keys
 * of types unknown here. Keys that were in the set before keep their identity. Throws where it is not a key set.
 */
export function publicKeys(body: unknown, before: readonly PublicKey[]): PublicKey[] {
  const entries = (body as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(entries)) throw new Error('The answer is not a key set: it has no list "keys".');
  const known = new Map(before.map((key) => [key.material, key]));
  const keys = new Map<string, PublicKey>();
  for (const entry of entries.slice(0, KEYS_MAX) as unknown[]) {
    const key = publicKey(entry);
    if (key !== undefined) keys.set(key.material, known.get(key.material) ?? key);
  }
  return [...keys.values()];
}

function publicKey(entry: unknown): PublicKey | undefined {
  if (typeof entry !== 'object' || entry === null) return undefined;
  const jwk = entry as JWK;
  if (jwk.use !== undefined && jwk.use !== 'sig') return undefined;
  if (Array.isArray(jwk.key_ops) && !jwk.key_ops.includes('verify')) return undefined;
  if (jwk.alg !== undefined && !isAlgorithm(jwk.alg)) return undefined;
  const material = publicMaterial(jwk);
  if (material === undefined) return undefined;
  const kid = typeof jwk.kid === 'string' ? jwk.kid : undefined;
  const { alg, kty, crv } = jwk;
  const imported = new Map<Algorithm, CryptoKey>();

  async function load(algorithm: Algorithm): Promise<CryptoKey> {
    const key = (await importJWK(material as JWK, algorithm)) as CryptoKey;
    imported.set(algorithm, key);
    return key;
  }

  return {
    kid,
    live: true,
    material: JSON.stringify([kid, alg, material]),
    fits: (algorithm) => (alg === undefined || alg === algorithm) && fits(algorithm, kty, crv),
    cryptoKey: (algorithm) => imported.get(algorithm) ?? load(algorithm),
  };
}

/** Nothing but the public members: what else a publisher lets slip, or sends to be believed, is not read. */
function publicMaterial({ kty, crv, x, y, n, e }: JWK): JWK | undefined {
  const texts = (...values: unknown[]) => values.every((value) => typeof value === 'string');
  if (kty === 'EC' && texts(crv, x, y)) return { kty, crv, x, y } as JWK;
  if (kty === 'OKP' && texts(crv, x)) return { kty, crv, x } as JWK;
  if (kty === 'RSA' && texts(n, e) && Buffer.byteLength(n ?? '', 'base64') >= RSA_MODULUS_BYTES_MIN) {
    return { kty, n, e } as JWK;
  }
  return undefined;
}
