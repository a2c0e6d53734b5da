/** The algorithms that can be allowed. All are asymmetric: no public key can serve as a shared secret. */
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

/** The algorithms that a Mintmark server signs with. */
export const DEFAULT_ALGORITHMS: readonly Algorithm[] = ['ES256', 'EdDSA', 'RS256'];

export function isAlgorithm(value: unknown): value is Algorithm {
  return typeof value === 'string' && Object.hasOwn(KEYS, value);
}

/** Whether an algorithm may use a key of this type and curve (RFC 8725 §3.1). */
export function fits(algorithm: Algorithm, kty: unknown, crv: unknown): boolean {
  const key: { kty: string; crv?: string } = KEYS[algorithm];
  return kty === key.kty && (key.crv === undefined || crv === key.crv);
}
