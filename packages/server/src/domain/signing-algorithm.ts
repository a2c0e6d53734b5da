import { generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto';

export const SIGNING_ALGORITHMS = ['ES256', 'EdDSA', 'RS256'] as const;
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number];

/** The differences between the algorithms (RFC 7518 §3, RFC 8037 §3). */
interface AlgorithmFacts {
  /** `kty` of its keys as JWK (RFC 7517 §4.1). */
  keyType: 'EC' | 'OKP' | 'RSA';
  generatePrivateKey(): KeyObject;
  signatureBytes: number;
  /** The signature in the form of a JWS (RFC 7518 §3), in a buffer that is valid until the next call. */
  sign(signed: Buffer, privateKey: KeyObject): Buffer;
  verify(signed: Buffer, publicKey: KeyObject, signature: Buffer): boolean;
}

/** r and s of an ES256 signature, and the coordinates of its curve. */
const COORDINATE_BYTES = 32;
const RSA_BITS = 2048;

export const ALGORITHM_FACTS: Readonly<Record<SigningAlgorithm, AlgorithmFacts>> = {
  ES256: {
    keyType: 'EC',
    generatePrivateKey: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
    signatureBytes: 2 * COORDINATE_BYTES,
    sign: (signed, privateKey) => rawSignature(sign('sha256', signed, privateKey)),
    verify(signed, publicKey, signature) {
      const key = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const;
      return signature.length === 2 * COORDINATE_BYTES && verify('sha256', signed, key, signature);
    },
  },
  EdDSA: {
    keyType: 'OKP',
    generatePrivateKey: () => generateKeyPairSync('ed25519').privateKey,
    signatureBytes: 64,
    sign: (signed, privateKey) => sign(null, signed, privateKey),
    verify: (signed, publicKey, signature) => verify(null, signed, publicKey, signature),
  },
  RS256: {
    keyType: 'RSA',
    generatePrivateKey: () => generateKeyPairSync('rsa', { modulusLength: RSA_BITS }).privateKey,
    signatureBytes: RSA_BITS / 8,
    sign: (signed, privateKey) => sign('sha256', signed, privateKey),
    verify: (signed, publicKey, signature) => verify('sha256', signed, publicKey, signature),
  },
};

/**
 * Converts an ES256 signature from DER (`SEQUENCE { INTEGER r, INTEGER s }`) to the form of a JWS: r and s,
 * 32 bytes each (RFC 7518 §3.4). `dsaEncoding` would do the same at a higher cost on every version of Node.js
 * (docs/decisions/002). Every call returns the same buffer.
 */
function rawSignature(der: Buffer): Buffer {
  const rLength = der[3] ?? 0;
  const sAt = 4 + rLength + 2;
  copyInteger(der, 4, rLength, COORDINATE_BYTES);
  copyInteger(der, sAt, der[sAt - 1] ?? 0, 2 * COORDINATE_BYTES);
  return raw;
}

const raw = Buffer.alloc(2 * COORDINATE_BYTES);

/**
 * Copies a DER integer so that it ends before `end`, without its leading zero byte; a short integer is
 * padded. A loop: `fill` and `copy` are calls of native code.
 */
function copyInteger(der: Buffer, at: number, length: number, end: number): void {
  for (let i = 1; i <= COORDINATE_BYTES; i++)
    raw[end - i] = i <= length ? (der[at + length - i] as number) : 0;
}
