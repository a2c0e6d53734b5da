import { Refusal } from './errors.ts';
import { quoted } from './quoted.ts';
import { scopesOf, type Scopes } from './scopes.ts';
import { decodeUtf8 } from './text-encoding.ts';

/** Claims by name, unchecked. */
export type AnyClaims = Readonly<Record<string, unknown>>;

/**
 * The claims of a valid token (RFC 9068 §2.2), frozen with all nested values. `Claims`: the type that the
 * verifier's option `claims` returns.
 */
export interface AccessToken<Claims = AnyClaims> {
  readonly issuer: string;
  readonly subject: string;
  /** The API user's client id. */
  readonly clientId: string;
  /** The organisation of the API user (`org_id`); undefined if it has none. */
  readonly organisationId: string | undefined;
  readonly audience: readonly string[];
  readonly scopes: Scopes;
  /** Unique to this token (`jti`). */
  readonly tokenId: string;
  /** Seconds since 1970 (UTC). */
  readonly issuedAt: number;
  /** Seconds since 1970 (UTC). */
  readonly expiresAt: number;
  /** All claims of the token, or what the option `claims` made of them. */
  readonly claims: Claims;
}

/** The API user that sent a request: the token that proves it. */
export type Caller<Claims = AnyClaims> = AccessToken<Claims>;

export interface ExpectedClaims<Claims = AnyClaims> {
  issuer: string;
  /** The token must be for one of these. */
  audiences: readonly string[];
  /** Maximum difference between the clocks of issuer and verifier. */
  clockSkewSeconds: number;
  /** Checks and types the claims. Undefined: they are returned as they are. */
  claims: ((claims: AnyClaims) => Claims) | undefined;
}

/** Checks the payload of a token with a valid signature. `nowSeconds` counts from 1970. Throws a Refusal. */
export function checkClaims<Claims>(
  payload: Uint8Array,
  expected: ExpectedClaims<Claims>,
  nowSeconds: number,
): AccessToken<Claims> {
  const claims = parse(payload);
  const issuer = text(claims, 'iss');
  if (issuer !== expected.issuer) {
    throw new Refusal(
      'issuer',
      `It is of another issuer: ${quoted(issuer)}, not ${quoted(expected.issuer)}.`,
    );
  }
  const audience = audienceOf(claims);
  if (!audience.some((one) => expected.audiences.includes(one))) {
    const [actual, own] = [quoted(audience), expected.audiences.map(quoted).join(' or ')];
    throw new Refusal('audience', `It is meant for another API: its audience is ${actual}, not ${own}.`);
  }
  const subject = text(claims, 'sub');
  const clientId = text(claims, 'client_id');
  const organisationId = claim(claims, 'org_id') === undefined ? undefined : text(claims, 'org_id');
  const tokenId = text(claims, 'jti');
  const scopes = scopesOf(claims['scope'] === undefined ? '' : text(claims, 'scope'));
  const issuedAt = time(claims, 'iat');
  const expiresAt = time(claims, 'exp');
  const notBefore = claims['nbf'] === undefined ? issuedAt : time(claims, 'nbf');
  if (Math.max(issuedAt, notBefore) > nowSeconds + expected.clockSkewSeconds) {
    throw new Refusal(
      'not_yet_valid',
      'It is not valid yet: compare the clocks of the issuer and of this machine.',
      clientId,
    );
  }
  // Checked last, so that only a token that was valid is called "expired".
  if (expiresAt <= nowSeconds - expected.clockSkewSeconds) {
    throw new Refusal('expired', 'It has expired.', clientId);
  }
  deepFreeze(claims);
  return Object.freeze({
    issuer,
    subject,
    clientId,
    organisationId,
    audience: Object.freeze(audience),
    scopes,
    tokenId,
    issuedAt,
    expiresAt,
    claims: typedClaims(claims, expected.claims, clientId),
  });
}

function parse(payload: Uint8Array): Record<string, unknown> {
  const json = decodeUtf8(payload);
  if (json === undefined) throw new Refusal('malformed', 'Its payload is not UTF-8.');
  let claims: unknown;
  try {
    claims = JSON.parse(json);
  } catch {
    throw new Refusal('malformed', 'Its payload is not JSON.');
  }
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) {
    throw new Refusal('malformed', 'Its payload is not a JSON object.');
  }
  return claims as Record<string, unknown>;
}

/** The option `claims` refuses a token by throwing. Its message is not repeated: it may quote the token. */
function typedClaims<Claims>(
  claims: AnyClaims,
  typed: ((claims: AnyClaims) => Claims) | undefined,
  clientId: string,
): Claims {
  if (typed === undefined) return claims as Claims;
  let result: Claims;
  try {
    result = typed(claims);
  } catch {
    throw new Refusal('claims', 'Its claims are not those that this API expects.', clientId);
  }
  if (typeof result === 'object' && result !== null) deepFreeze(result);
  return result;
}

/** Own members only, because an inherited member of a polluted prototype is not a claim. */
function claim(claims: Record<string, unknown>, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : undefined;
}

function text(claims: Record<string, unknown>, name: string): string {
  const value = claim(claims, name);
  if (typeof value !== 'string' || (value === '' && name !== 'scope')) {
    throw new Refusal('claims', `The claim ${name} is missing or is not a text.`);
  }
  return value;
}

function time(claims: Record<string, unknown>, name: string): number {
  const value = claim(claims, name);
  // JSON.parse turns 1e999 into Infinity.
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw new Refusal('claims', `The claim ${name} is missing or is not a number of seconds.`);
  }
  return value;
}

function audienceOf(claims: Record<string, unknown>): string[] {
  const value = claim(claims, 'aud');
  const audience: unknown[] = Array.isArray(value) ? value.slice() : [value];
  if (audience.length === 0 || !audience.every((one) => typeof one === 'string')) {
    throw new Refusal('claims', 'The claim aud is missing or is not a text or a list of texts.');
  }
  return audience;
}

/** A loop, because the token's sender decides how deep it nests. */
function deepFreeze(root: object): void {
  const open: object[] = [root];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    Object.freeze(value);
    for (const member of Object.values(value) as unknown[]) {
      if (typeof member === 'object' && member !== null && !Object.isFrozen(member)) open.push(member);
    }
  }
}
