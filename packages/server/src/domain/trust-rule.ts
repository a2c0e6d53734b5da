/**
 * The content that an external token must have to prove its workload (RFC 7523 §3). Stored and
 * exported as JSON with these members.
 */
export interface TrustRule {
  /** The name of the preset that the rule was made from; null: none. */
  preset: string | null;
  /** Equals `iss` exactly. */
  issuer: string;
  /** Equals `sub` exactly; or a prefix that ends in `:` or `/`, and then `*`; or `*` alone (forced). */
  subject: string;
  /** Equals `aud`: a string, or a list of one. */
  audience: string;
  /** `aud` may be a list that names others, too. */
  otherAudiences: boolean;
  /** Other claims by name, or by JSON Pointer if the name begins with a slash (RFC 6901). */
  claims: Readonly<Record<string, ClaimMatch>>;
  /** `exp` minus `iat` is at most this many seconds. */
  lifeSecondsMax: number;
  /** Whether a token proves once, or until it expires. */
  reuse: 'once' | 'until_expired';
  keys: TrustedKeys;
}

/** A value, one of several values, or a text that begins with a prefix. */
export type ClaimMatch = ClaimValue | readonly ClaimValue[] | { prefix: string };
export type ClaimValue = string | number | boolean;

/** The source of the public keys of an issuer. */
export type TrustedKeys =
  /** OpenID discovery, then RFC 8414. */
  { from: 'discovery' } | { from: 'url'; url: string } | { from: 'inline'; jwks: JsonWebKeySet };

/** RFC 7517 §5. */
export interface JsonWebKeySet {
  keys: readonly PublicJwk[];
}

/** A public key as JWK: only the members that its type needs, and `kid`, `alg` if the key names them. */
export interface PublicJwk {
  kty: 'EC' | 'OKP' | 'RSA';
  kid?: string;
  alg?: string;
  crv?: string;
  x?: string;
  y?: string;
  n?: string;
  e?: string;
}
