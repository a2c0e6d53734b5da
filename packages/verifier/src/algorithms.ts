/** The algorithms that can be allowed. All are asymmetric, so no public key can serve as a shared secret. */
export const ALGORITHMS = [
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/** The algorithms that a Mintmark server signs with. */
export const DEFAULT_ALGORITHMS: readonly Algorithm[] = ['ES256', 'EdDSA', 'RS256'];

export function isAlgorithm(value: unknown): value is Algorithm {
  return (ALGORITHMS as readonly unknown[]).includes(value);
}

const CURVES: Readonly<Record<string, string>> = {
  ES256: 'P-256',
  ES384: 'P-384',
  ES512: 'P-521',
  EdDSA: 'Ed25519',
  Ed25519: 'Ed25519',
};

/** Whether an algorithm may use a key of this type and curve (RFC 8725 §3.1). */
export function fits(algorithm: Algorithm, kty: unknown, crv: unknown): boolean {
  const curve = CURVES[algorithm];
  if (curve === undefined) return kty === 'RSA';
  return kty === (curve === 'Ed25519' ? 'OKP' : 'EC') && crv === curve;
}
