import { constants, verify, type KeyObject } from 'node:crypto';

/** The algorithms that an assertion may be signed with (RFC 7518 §3, RFC 8037 §3.1, RFC 9864). */
export const ASSERTION_ALGORITHMS = ['ES256', 'ES384', 'EdDSA', 'Ed25519', 'PS256', 'RS256'] as const;
export type AssertionAlgorithm = (typeof ASSERTION_ALGORITHMS)[number];

interface AssertionAlgorithmFacts {
  /** `kty` and `crv` of its keys as JWK. */
  keyType: 'EC' | 'OKP' | 'RSA';
  curve: 'P-256' | 'P-384' | 'Ed25519' | null;
  verify(signed: Buffer, publicKey: KeyObject, signature: Buffer): boolean;
}

const ED25519: AssertionAlgorithmFacts = {
  keyType: 'OKP',
  curve: 'Ed25519',
  verify: (signed, publicKey, signature) => verify(null, signed, publicKey, signature),
};

export const ASSERTION_FACTS: Readonly<Record<AssertionAlgorithm, AssertionAlgorithmFacts>> = {
  ES256: ecdsa('sha256', 'P-256'),
  ES384: ecdsa('sha384', 'P-384'),
  EdDSA: ED25519,
  Ed25519: ED25519,
  PS256: {
    keyType: 'RSA',
    curve: null,
    verify(signed, publicKey, signature) {
      const padding = {
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
      };
      return verify('sha256', signed, { key: publicKey, ...padding }, signature);
    },
  },
  RS256: {
    keyType: 'RSA',
    curve: null,
    verify: (signed, publicKey, signature) => verify('sha256', signed, publicKey, signature),
  },
};

function ecdsa(hash: 'sha256' | 'sha384', curve: 'P-256' | 'P-384'): AssertionAlgorithmFacts {
  return {
    keyType: 'EC',
    curve,
    verify(signed, publicKey, signature) {
      return verify(hash, signed, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature);
    },
  };
}
