import type { KeyObject } from 'node:crypto';
import type { Claims } from './claims.ts';
import { ALGORITHM_FACTS, type SigningAlgorithm } from './signing-algorithm.ts';

/** The claims of an access token (RFC 9068 §2.2). Times are whole seconds since 1970 (UTC). */
export interface AccessTokenClaims {
  issuer: string;
  clientId: string;
  audience: string;
  /** Separated by spaces. If empty, the token has no `scope` claim (RFC 6749 §3.3 has no empty scope). */
  scope: string;
  issuedAt: number;
  expiresAt: number;
  tokenId: string;
  /** The organisation of the API user (`org_id`); null if the token names none. */
  organisationId: string | null;
  /** All other claims: the static ones that operators set. */
  others: Claims;
}

/** The claims of a token to be signed. `members`: `org_id` and the static claims (token-shape.ts). */
export type AccessTokenContent = Omit<AccessTokenClaims, 'organisationId' | 'others'> & { members: string };

/** The `typ` of an access token (RFC 9068 §2.1). */
export const ACCESS_TOKEN_TYPE = 'at+jwt';

/** Signs claims with one key and returns the JWT in its compact form (RFC 7515 §7.1). */
export type AccessTokenSigner = (content: AccessTokenContent) => string;

export function accessTokenSigner(
  algorithm: SigningAlgorithm,
  kid: string,
  privateKey: KeyObject,
): AccessTokenSigner {
  const signJwt = jwtSigner(algorithm, kid, privateKey, ACCESS_TOKEN_TYPE);
  return (content) => signJwt(claimsJson(content));
}

/** The header of an access token. */
export function tokenHeader(algorithm: SigningAlgorithm, kid: string): Record<string, string> {
  return { alg: algorithm, typ: ACCESS_TOKEN_TYPE, kid };
}

/** Signs JSON with one key and returns a JWS of this type in its compact form (RFC 7515 §7.1). */
export type JwtSigner = (json: string) => string;

export function jwtSigner(
  algorithm: SigningAlgorithm,
  kid: string,
  privateKey: KeyObject,
  type: string,
): JwtSigner {
  const header = `${base64url(JSON.stringify({ alg: algorithm, typ: type, kid }))}.`;
  const { sign } = ALGORITHM_FACTS[algorithm];
  return (json) => {
    const signed = header + base64url(json);
    return `${signed}.${sign(Buffer.from(signed, 'latin1'), privateKey).toString('base64url')}`;
  };
}

/**
 * Builds the JSON by hand: `JSON.stringify` of the object costs twice as much. Ids and times need no
 * escaping. Most tokens have the issuer, audience and scope of the one before.
 */
export function claimsJson(claims: AccessTokenContent): string {
  const client = JSON.stringify(claims.clientId);
  const scope = claims.scope === '' ? '' : ',"scope":' + jsonOfScope(claims.scope);
  return (
    `{"iss":${jsonOfIssuer(claims.issuer)},"sub":${client},"client_id":${client},` +
    `"aud":${jsonOfAudience(claims.audience)},"iat":${claims.issuedAt},"exp":${claims.expiresAt},` +
    `"jti":"${claims.tokenId}"${scope}${claims.members}}`
  );
}

const [jsonOfIssuer, jsonOfAudience, jsonOfScope] = [rememberedJson(), rememberedJson(), rememberedJson()];

/** JSON of a text; remembers the last one. */
function rememberedJson(): (text: string) => string {
  let [last, json] = ['', '""'];
  return (text) => {
    if (text !== last) [last, json] = [text, JSON.stringify(text)];
    return json;
  };
}

function base64url(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64url');
}
