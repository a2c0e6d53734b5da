import { constants, createPrivateKey, createPublicKey, randomUUID, sign, type KeyObject } from 'node:crypto';
import { AppError } from '../domain/app-error.ts';
import type { AssertionAlgorithm } from '../domain/assertion-algorithm.ts';
import { algorithmsOf, readJwk, type RegisteredKey } from '../domain/public-key.ts';
import { readTextFile } from './text-file.ts';

/** Seconds: enough for one request. */
const ASSERTION_LIFE_SECONDS = 60;

/** The JWT that proves an API user by the private key in a file (RFC 7523 §2.2). */
export function assertionFrom(file: string, clientId: string, audience: string, nowMs: number): string {
  const { privateKey, publicKey } = readPrivateKey(file);
  const [algorithm] = algorithmsOf(publicKey.jwk);
  if (algorithm === undefined) throw new Error('A key that readJwk accepts has an algorithm.');
  const nowSeconds = Math.floor(nowMs / 1000);
  const header = { alg: algorithm, typ: 'JWT', kid: publicKey.jwk.kid ?? publicKey.thumbprint };
  const claims = {
    iss: clientId,
    sub: clientId,
    aud: audience,
    iat: nowSeconds,
    exp: nowSeconds + ASSERTION_LIFE_SECONDS,
    jti: randomUUID(),
  };
  const signed = `${part(header)}.${part(claims)}`;
  return `${signed}.${signatureOf(algorithm, Buffer.from(signed), privateKey).toString('base64url')}`;
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** A private key as PEM or as JWK. Throws an AppError that names the file, and never its content. */
function readPrivateKey(file: string): { privateKey: KeyObject; publicKey: RegisteredKey } {
  const text = readTextFile(file).trim();
  let privateKey: KeyObject;
  let labels = {};
  try {
    if (text.startsWith('{')) {
      const { kid, alg, ...key } = JSON.parse(text) as Record<string, string>;
      labels = { ...(kid === undefined ? {} : { kid }), ...(alg === undefined ? {} : { alg }) };
      privateKey = createPrivateKey({ key, format: 'jwk' });
    } else {
      privateKey = createPrivateKey(text);
    }
  } catch {
    const why = text.includes('ENCRYPTED')
      ? 'is encrypted: decrypt it with openssl pkey'
      : 'is not a private key';
    throw new AppError('invalid', `The file ${file} ${why}. It must have one as PEM or as JWK.`);
  }
  const publicKey = readJwk({ ...createPublicKey(privateKey).export({ format: 'jwk' }), ...labels });
  if (!Array.isArray(publicKey)) return { privateKey, publicKey };
  const problems = publicKey.map(({ problem }) => problem).join(' ');
  throw new AppError('invalid', `The key in ${file} cannot prove an API user. ${problems}`);
}

function signatureOf(algorithm: AssertionAlgorithm, signed: Buffer, key: KeyObject): Buffer {
  switch (algorithm) {
    case 'ES256':
      return sign('sha256', signed, { key, dsaEncoding: 'ieee-p1363' });
    case 'ES384':
      return sign('sha384', signed, { key, dsaEncoding: 'ieee-p1363' });
    case 'PS256': {
      const { RSA_PKCS1_PSS_PADDING: padding, RSA_PSS_SALTLEN_DIGEST: saltLength } = constants;
      return sign('sha256', signed, { key, padding, saltLength });
    }
    case 'RS256':
      return sign('sha256', signed, key);
    case 'EdDSA':
    case 'Ed25519':
      return sign(null, signed, key);
  }
}
