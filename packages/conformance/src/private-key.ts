import { createPrivateKey, type KeyObject, type webcrypto } from 'node:crypto';
import type { Signer } from './jwt.ts';

const CURVE_ALGORITHMS: Readonly<Record<string, string>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
};

/** Reads a private key (PEM or JWK); for any other text it returns the fault. */
export function readPrivateKey(text: string): Signer | string {
  try {
    if (!text.trimStart().startsWith('{')) {
      const key = createPrivateKey(text);
      return signerOf(key, undefined, undefined);
    }
    const jwk = JSON.parse(text) as webcrypto.JsonWebKey & { alg?: string; kid?: string };
    return signerOf(createPrivateKey({ key: jwk, format: 'jwk' }), jwk.alg, jwk.kid);
  } catch {
    // The error could quote the key.
    return 'is neither a private key in PEM (PKCS #8) nor a private JWK.';
  }
}

/** A JWK may name its algorithm; otherwise the type of the key decides. */
function signerOf(key: KeyObject, alg: string | undefined, kid: string | undefined): Signer | string {
  const algorithm = alg ?? algorithmOf(key);
  return algorithm === undefined
    ? `is a key of the type ${key.asymmetricKeyType}, which signs no assertion: use EC, Ed25519 or RSA.`
    : { algorithm, key, kid: kid ?? null };
}

function algorithmOf({ asymmetricKeyType: type, asymmetricKeyDetails }: KeyObject): string | undefined {
  if (type === 'ed25519') return 'EdDSA';
  if (type === 'rsa') return 'RS256';
  return CURVE_ALGORITHMS[asymmetricKeyDetails?.namedCurve ?? ''];
}
