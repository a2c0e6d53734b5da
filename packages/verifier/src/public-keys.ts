import { importJWK, type JWK } from 'jose';
import { ALGORITHMS, fits, isAlgorithm, type Algorithm } from './algorithms.ts';

/** Maximum number of usable keys of a key set. */
export const KEYS_MAX = 100;
const RSA_MODULUS_BYTES_MIN = 256;

/** A WebCrypto key, without a type that requires those of the DOM or Node. */
export interface ImportedKey {
  readonly type: string;
}

/** A public key of the issuer. */
export interface PublicKey {
  readonly kid: string | undefined;
  /** False once the issuer stops publishing the key: tokens verified with it are checked again. */
  live: boolean;
  fits(algorithm: Algorithm): boolean;
  cryptoKey(algorithm: Algorithm): ImportedKey | Promise<ImportedKey>;
  /** Equal for equal keys. */
  readonly material: string;
}

export interface PublishedKeys {
  keys: PublicKey[];
  /** Whether the key set has more than KEYS_MAX usable keys; the verifier ignores the rest. */
  truncated: boolean;
}

/**
 * The usable keys of a key set (RFC 7517 §5). Ignores keys for encryption, symmetric and weak keys, unknown
 * types and keys that cannot be imported. Keys already in `before` keep their identity. Throws if the body is
 * not a key set.
 */
export async function publicKeys(body: unknown, before: readonly PublicKey[]): Promise<PublishedKeys> {
  const entries = (body as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(entries)) throw new Error('The answer is not a key set: it has no list "keys".');
  const byMaterial = new Map(before.map((key) => [key.material, key]));
  const keys = new Map<string, PublicKey>();
  for (const entry of entries as unknown[]) {
    const published = publicKey(entry);
    if (published === undefined || keys.has(published.material)) continue;
    const key = byMaterial.get(published.material) ?? (await importable(published));
    if (key === undefined) continue;
    if (keys.size === KEYS_MAX) return { keys: [...keys.values()], truncated: true };
    keys.set(key.material, key);
  }
  return { keys: [...keys.values()], truncated: false };
}

/** Returns the key if the runtime can import it: only an import detects a point outside its curve. */
async function importable(key: PublicKey): Promise<PublicKey | undefined> {
  const algorithm = ALGORITHMS.find((one) => key.fits(one));
  if (algorithm === undefined) return undefined;
  try {
    await key.cryptoKey(algorithm);
    return key;
  } catch {
    return undefined;
  }
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
  const imported = new Map<Algorithm, ImportedKey>();

  async function load(algorithm: Algorithm): Promise<ImportedKey> {
    const key = (await importJWK(material as JWK, algorithm)) as ImportedKey;
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

/** Copies only the public members: a publisher may leak private ones or send others to be trusted. */
function publicMaterial({ kty, crv, x, y, n, e }: JWK): JWK | undefined {
  const texts = (...values: unknown[]) => values.every((value) => typeof value === 'string');
  if (kty === 'EC' && texts(crv, x, y)) return { kty, crv, x, y } as JWK;
  if (kty === 'OKP' && texts(crv, x)) return { kty, crv, x } as JWK;
  if (kty === 'RSA' && texts(n, e) && modulusBytes(n ?? '') >= RSA_MODULUS_BYTES_MIN) {
    return { kty, n, e } as JWK;
  }
  return undefined;
}

/** Length of a base64url text in bytes: three bytes per four characters. */
function modulusBytes(n: string): number {
  return Math.floor((n.replace(/=+$/, '').length * 3) / 4);
}
