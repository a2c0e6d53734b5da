import { property } from './redaction.ts';

/** The algorithms that the server accepts (RFC 7518 §3, RFC 8037 §3.1, RFC 9864). */
export type AssertionAlgorithm = 'ES256' | 'ES384' | 'EdDSA' | 'Ed25519' | 'PS256' | 'RS256';

export interface AlgorithmFacts {
  readonly alg: AssertionAlgorithm;
  /** `kty` and `crv` of its keys as JWK. */
  readonly keyType: string;
  readonly curve?: string;
  /** For `importKey` and `sign` of WebCrypto; each ignores the members of the other. */
  readonly parameters: {
    readonly name: string;
    readonly namedCurve?: string;
    readonly hash?: string;
    readonly saltLength?: number;
  };
  /** Bytes of an ECDSA signature: r and s at full length (RFC 7518 §3.4). */
  readonly signatureBytes?: number;
}

/** Of several algorithms for a key, the first is the default. */
export const ALGORITHMS: readonly AlgorithmFacts[] = [
  ecdsa('ES256', 'P-256', 'SHA-256', 64),
  ecdsa('ES384', 'P-384', 'SHA-384', 96),
  { alg: 'EdDSA', keyType: 'OKP', curve: 'Ed25519', parameters: { name: 'Ed25519' } },
  { alg: 'Ed25519', keyType: 'OKP', curve: 'Ed25519', parameters: { name: 'Ed25519' } },
  { alg: 'PS256', keyType: 'RSA', parameters: { name: 'RSA-PSS', hash: 'SHA-256', saltLength: 32 } },
  { alg: 'RS256', keyType: 'RSA', parameters: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } },
];

function ecdsa(alg: AssertionAlgorithm, curve: string, hash: string, signatureBytes: number): AlgorithmFacts {
  const parameters = { name: 'ECDSA', namedCurve: curve, hash };
  return { alg, keyType: 'EC', curve, parameters, signatureBytes };
}

/** The algorithms for a key as JWK. */
export function algorithmsOfJwk(jwk: object): readonly AlgorithmFacts[] {
  const [keyType, curve] = [property(jwk, 'kty'), property(jwk, 'crv')];
  return ALGORITHMS.filter((facts) => facts.keyType === keyType && facts.curve === curve);
}

/** The algorithms for a `CryptoKey`, which names its curve or hash. */
export function algorithmsOfCryptoKey(algorithm: object): readonly AlgorithmFacts[] {
  const [name, curve] = [property(algorithm, 'name'), property(algorithm, 'namedCurve')];
  const hash = property(property(algorithm, 'hash'), 'name');
  return ALGORITHMS.filter(
    ({ parameters }) =>
      parameters.name === name &&
      parameters.namedCurve === curve &&
      (hash === undefined || parameters.hash === hash),
  );
}
