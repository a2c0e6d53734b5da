import { sign, type KeyObject } from 'node:crypto';
import type { SigningAlgorithm } from './signing-key.ts';

/** What an access token says (RFC 9068 §2.2). Times are whole seconds since 1970 (UTC). */
export interface AccessTokenClaims {
  issuer: string;
  clientId: string;
  audience: string;
  /** Space-separated; empty: the token has no `scope` claim (RFC 6749 §3.3 has no empty scope). */
  scope: string;
  issuedAt: number;
  expiresAt: number;
  tokenId: string;
}

/** The `typ` of an access token (RFC 9068 §2.1). */
export const ACCESS_TOKEN_TYPE = 'at+jwt';

/** Signs claims with one key and gives back the JWT in its compact form (RFC 7515 §7.1). */
export type AccessTokenSigner = (claims: AccessTokenClaims) => string;

export function accessTokenSigner(
  algorithm: SigningAlgorithm,
  kid: string,
  privateKey: KeyObject,
): AccessTokenSigner {
  const signJwt = jwtSigner(algorithm, kid, privateKey, ACCESS_TOKEN_TYPE);
  return (claims) => signJwt(claimsJson(claims));
}

/** Signs JSON with one key and gives back a JWS of this type in its compact form (RFC 7515 §7.1). */
export type JwtSigner = (json: string) => string;

export function jwtSigner(
  algorithm: SigningAlgorithm,
  kid: string,
  privateKey: KeyObject,
  type: string,
): JwtSigner {
  const header = `${base64url(JSON.stringify({ alg: algorithm, typ: type, kid }))}.`;
  const signature = signatureWith(algorithm, privateKey);
  return (json) => {
    const signed = header + base64url(json);
    return `${signed}.${signature(Buffer.from(signed, 'latin1'))}`;
  };
}

/** Written out, because `JSON.stringify` of the object costs twice as much; ids and times need no escaping. */
function claimsJson(claims: AccessTokenClaims): string {
  const client = JSON.stringify(claims.clientId);
  const scope = claims.scope === '' ? '' : `,"scope":${JSON.stringify(claims.scope)}`;
  return (
    `{"iss":${JSON.stringify(claims.issuer)},"sub":${client},"client_id":${client},` +
    `"aud":${JSON.stringify(claims.audience)},"iat":${claims.issuedAt},"exp":${claims.expiresAt},` +
    `"jti":"${claims.tokenId}"${scope}}`
  );
}

function signatureWith(algorithm: SigningAlgorithm, key: KeyObject): (signed: Buffer) => string {
  switch (algorithm) {
    case 'ES256':
      return (signed) => rawSignature(sign('sha256', signed, key)).toString('base64url');
    case 'EdDSA':
      return (signed) => sign(null, signed, key).toString('base64url');
    case 'RS256':
      return (signed) => sign('sha256', signed, key).toString('base64url');
  }
}

const COORDINATE_BYTES = 32;

/**
 * The DER form of an ES256 signature (`SEQUENCE { INTEGER r, INTEGER s }`) as JOSE wants it: r and s, 32 bytes each
 * (RFC 7518 §3.4). Here and not by `dsaEncoding`, which costs more on every Node (docs/decisions/002). The buffer that
 * is given back is used again by the next call.
 */
function rawSignature(der: Buffer): Buffer {
  raw.fill(0);
  const rLength = der[3] ?? 0;
  const sAt = 4 + rLength + 2;
  copyInteger(der, 4, rLength, COORDINATE_BYTES);
  copyInteger(der, sAt, der[sAt - 1] ?? 0, 2 * COORDINATE_BYTES);
  return raw;
}

const raw = Buffer.alloc(2 * COORDINATE_BYTES);

/** Copies a DER integer so that it ends before `end`: a leading zero byte is left out, a short one is padded. */
function copyInteger(der: Buffer, at: number, length: number, end: number): void {
  const skip = Math.max(0, length - COORDINATE_BYTES);
  der.copy(raw, end - (length - skip), at + skip, at + length);
}

function base64url(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64url');
}
