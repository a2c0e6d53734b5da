import { constants, createHmac, sign, verify, type KeyObject, type SignKeyObjectInput } from 'node:crypto';
import { publicKeyOf, type Jwk } from './jwk.ts';

/** A JSON Web Token in its parts, without any check. */
export interface Jwt {
  token: string;
  header: Record<string, unknown>;
  claims: Record<string, unknown>;
  /** What the signature covers. */
  signingInput: string;
  signature: Buffer;
}

/** Null if the text is not a JWT in compact form. */
export function parseJwt(token: string): Jwt | null {
  const [head, body, signature, ...rest] = token.split('.');
  if (head === undefined || body === undefined || signature === undefined || rest.length > 0) return null;
  const header = objectIn(head);
  const claims = objectIn(body);
  if (header === null || claims === null) return null;
  const bytes = Buffer.from(signature, 'base64url');
  return { token, header, claims, signingInput: `${head}.${body}`, signature: bytes };
}

function objectIn(part: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

interface Algorithm {
  digest: string | null;
  options?: Omit<SignKeyObjectInput, 'key'>;
}

const ECDSA = { dsaEncoding: 'ieee-p1363' } as const;
const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };

/** The algorithms of RFC 7518 and RFC 8037 that sign with a key pair. */
const ALGORITHMS: Readonly<Record<string, Algorithm>> = {
  ES256: { digest: 'sha256', options: ECDSA },
  ES384: { digest: 'sha384', options: ECDSA },
  ES512: { digest: 'sha512', options: ECDSA },
  RS256: { digest: 'sha256' },
  RS384: { digest: 'sha384' },
  RS512: { digest: 'sha512' },
  PS256: { digest: 'sha256', options: PSS },
  PS384: { digest: 'sha384', options: PSS },
  PS512: { digest: 'sha512', options: PSS },
  EdDSA: { digest: null },
  Ed25519: { digest: null },
};

export const SIGNATURE_ALGORITHMS: readonly string[] = Object.keys(ALGORITHMS);

/** Verifies a signature with a public key; false also for a key that does not fit the algorithm. */
export function isSignedBy(jwt: Jwt, jwk: Jwk): boolean {
  const algorithm = ALGORITHMS[String(jwt.header['alg'])];
  const key = publicKeyOf(jwk);
  if (algorithm === undefined || key === null) return false;
  try {
    const input = Buffer.from(jwt.signingInput);
    return verify(algorithm.digest, input, { key, ...algorithm.options }, jwt.signature);
  } catch {
    return false;
  }
}

/** A key that signs, with the algorithm and the `kid` of its JWTs. */
export interface Signer {
  algorithm: string;
  key: KeyObject;
  kid: string | null;
}

export function signJwt(
  { algorithm, key, kid }: Signer,
  claims: Record<string, unknown>,
  header: Record<string, unknown> = {},
): string {
  const { digest, options } = ALGORITHMS[algorithm] ?? { digest: null };
  const input = signingInput({ alg: algorithm, ...(kid !== null && { kid }), ...header }, claims);
  return `${input}.${sign(digest, Buffer.from(input), { key, ...options }).toString('base64url')}`;
}

/** A JWT with `alg: none` and an empty signature (RFC 7518 §3.6). */
export function unsignedJwt(claims: Record<string, unknown>, header: Record<string, unknown> = {}): string {
  return `${signingInput({ ...header, alg: 'none' }, claims)}.`;
}

/** A JWT with a MAC whose secret is public: the text of a public key. */
export function macJwt(
  secret: string,
  claims: Record<string, unknown>,
  header: Record<string, unknown> = {},
): string {
  const input = signingInput({ ...header, alg: 'HS256' }, claims);
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

function signingInput(header: object, claims: object): string {
  const encoded = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  return `${encoded(header)}.${encoded(claims)}`;
}
