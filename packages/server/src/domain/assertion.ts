import { ASSERTION_ALGORITHMS, type AssertionAlgorithm } from './assertion-algorithm.ts';
import { bytesOfPart, jsonOfPart, type JsonObject } from './compact-jws.ts';

/** The JWT that proves a caller in place of a secret (RFC 7523), before the check of its signature. */
export interface Assertion {
  /** Null: `alg` is not one of `ASSERTION_ALGORITHMS`. */
  algorithm: AssertionAlgorithm | null;
  kid: string | null;
  /** Why the header is not accepted; null if it is. */
  headerProblem: HeaderProblem | null;
  claims: AssertionClaims;
  signed: Buffer;
  signature: Buffer;
}

export type AssertionClaims = JsonObject;

/** The member of a header that is not accepted; `form`: the text is not a JWT. */
export type HeaderProblem = 'form' | 'crit' | 'typ' | 'kid';

/** By how much the clock of a signer may differ from ours, for `exp`, `nbf` and `iat`. */
export const ASSERTION_CLOCK_SKEW_SECONDS = 30;

const KID_LENGTH_MAX = 256;
/** RFC 7523 §2.2 and draft-ietf-oauth-rfc7523bis; `application/` may be left out (RFC 7515 §4.1.9). */
const ACCEPTED_TYPE = /^(?:application\/)?(?:jwt|client-authentication\+jwt)$/i;

/**
 * Parses an assertion. Null: the text is not a JWS in compact form with two JSON objects. Keys in the header
 * (`jwk`, `jku`, `x5u`, `x5c`) are ignored.
 */
export function parseAssertion(text: string): Assertion | null {
  const [header64 = '', claims64 = '', signature64 = '', ...more] = text.split('.', 4);
  if (more.length > 0) return null;
  const header = jsonOfPart(header64);
  const claims = jsonOfPart(claims64);
  const signature = bytesOfPart(signature64);
  if (header === null || claims === null || signature === null) return null;
  const { alg, kid } = header;
  return {
    algorithm: ASSERTION_ALGORITHMS.find((algorithm) => algorithm === alg) ?? null,
    kid: typeof kid === 'string' ? kid : null,
    headerProblem: headerProblem(header),
    claims,
    signed: Buffer.from(`${header64}.${claims64}`, 'latin1'),
    signature,
  };
}

/** Stands for a text that is not an assertion: its check costs as much and fails. */
export const NO_ASSERTION: Assertion = {
  algorithm: null,
  kid: null,
  headerProblem: 'form',
  claims: {},
  signed: Buffer.alloc(0),
  signature: Buffer.alloc(0),
};

function headerProblem(header: JsonObject): HeaderProblem | null {
  // RFC 7515 §4.1.11: an extension that the reader does not know must be refused. Mintmark knows none.
  if (Object.hasOwn(header, 'crit') || Object.hasOwn(header, 'b64')) return 'crit';
  const { typ, kid } = header;
  if (typ !== undefined && !(typeof typ === 'string' && ACCEPTED_TYPE.test(typ))) return 'typ';
  if (kid !== undefined && !(typeof kid === 'string' && kid.length <= KID_LENGTH_MAX)) return 'kid';
  return null;
}

/**
 * The client id of an assertion that an API user signed with its own key: `iss` and `sub` (RFC 7523 §3). Null
 * for any other.
 */
export function clientIdOf({ iss, sub }: AssertionClaims): string | null {
  return typeof sub === 'string' && sub !== '' && iss === sub ? sub : null;
}
