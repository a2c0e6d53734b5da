import { generateKeyPairSync } from 'node:crypto';
import { notApplicable } from './not-judged.ts';
import { publicKeyOf, publicText, type Jwk } from './jwk.ts';
import { macJwt, signJwt, unsignedJwt, type Jwt, type Signer } from './jwt.ts';

/** A key that no server knows. */
export function strangersKey(kid: string | null): Signer & { jwk: Jwk } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { algorithm: 'ES256', key: privateKey, kid, jwk: { ...publicKey.export({ format: 'jwk' }) } };
}

/** Tokens with the claims of a real token that its issuer never signed, by kind of forgery. */
export const FORGERIES = {
  none: ({ claims, header }: Jwt): string => unsignedJwt(claims, header),
  stranger({ claims, header }: Jwt): string {
    const signer = strangersKey(null);
    return signJwt(signer, claims, { ...header, alg: signer.algorithm });
  },
  embedded({ claims, header }: Jwt): string {
    const signer = strangersKey(null);
    return signJwt(signer, claims, { ...header, alg: signer.algorithm, jwk: signer.jwk });
  },
  confused({ claims, header }: Jwt, keys: readonly Jwk[]): string {
    const jwk = keys.find(({ kid }) => kid === header['kid']);
    const key = jwk === undefined ? null : publicKeyOf(jwk);
    if (key === null) notApplicable('The key set has no key with the kid of the token.');
    return macJwt(publicText(key), claims, header);
  },
  changed({ signingInput, signature }: Jwt): string {
    const bytes = Buffer.from(signature);
    // In the middle: the last bits of base64url may stand for nothing.
    const middle = Math.floor(bytes.length / 2);
    bytes[middle] = (bytes[middle] ?? 0) ^ 1;
    return `${signingInput}.${bytes.toString('base64url')}`;
  },
} as const;
