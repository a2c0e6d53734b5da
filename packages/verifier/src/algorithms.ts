/**
 * The type and curve of the keys of each algorithm that can be allowed (RFC 7518, RFC 8037). All are asymmetric, so that a
 * public key is never taken for a secret.
 */
const KEYS = {
  ES256: { kty: 'EC', crv: 'P-256' },
  ES384: { kty: 'EC', crv: 'P-384' },
  ES512: { kty: 'EC', crv: 'P-521' },
  EdDSA: { kty: 'OKP', crv: 'Ed25519' },
  Ed25519: { kty: 'OKP', crv: 'Ed25519' },
  RS256: { kty: 'RSA' },
  RS384: { kty: 'RSA' },
  RS512: { kty: 'RSA' },
  PS256: { kty: 'RSA' },
  PS384: { kty: 'RSA' },
  PS512: { kty: 'RSA' },
} as const;
export type Algorithm = keyof typeof KEYS;

export const ALGORITHMS = Object.keys(KEYS) as readonly Algorithm[];

/** The algorithms that a Mintmark server can sign with. */
export const DEFAULT_ALGORITHMS: readonly Algorithm[] = ['ES256', 'EdDSA', 'RS256'];

export function isAlgorithm(value: unknown): value is Algorithm {
  return typeof value === 'string' && Object.hasOwn(KEYS, value);
}

/** Whether a key of this type and curve can be meant for the algorithm (RFC 8725 §3.1). */
export function fits(algorithm: Algorithm, kty: unknown, crv: unknown): boolean {
  const key: { kty: string; crv?: string } = KEYS[algorithm];
  return kty === key.kty && (key.crv === undefined || crv === key.crv);
}
