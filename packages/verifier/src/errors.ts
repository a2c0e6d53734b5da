/** The `code` of the platform's error envelope. The names are stable. */
export type AccessTokenErrorCode =
  | 'authorization-token-missing'
  | 'authorization-token-invalid'
  | 'authorization-token-expired'
  | 'insufficient_scope'
  | 'insufficient_claims'
  | 'authorization-unavailable';

/** The exact reason, for logs. Callers receive only the code. */
export type AccessTokenErrorReason =
  | 'missing'
  | 'malformed'
  | 'too_long'
  | 'type'
  | 'algorithm'
  | 'critical_header'
  | 'key_in_header'
  | 'unknown_key'
  | 'signature'
  | 'claims'
  | 'issuer'
  | 'audience'
  | 'not_yet_valid'
  | 'expired'
  | 'revoked'
  | 'scope'
  | 'check'
  | 'key_set_unavailable'
  | 'revocations_unavailable';

/** The platform's error body. */
export interface ErrorEnvelope {
  errors: {
    traceId: string;
    type: 'authorization';
    code: AccessTokenErrorCode;
    instance: string;
    title: string;
    detail: string;
  }[];
  warnings: never[];
}

export interface AccessTokenErrorDetails {
  /** For `insufficient_scope`: the scopes that the request needs. */
  scope?: string | undefined;
  /** For `authorization-unavailable`: whole seconds to wait before a retry. */
  retryAfterSeconds?: number | undefined;
  /** URL of the protected-resource metadata (RFC 9728 §5.1). */
  resourceMetadataUrl?: string | undefined;
  /** The API user, if the issuer signed the token. */
  clientId?: string | undefined;
  /** A fault between this process and the issuer; never a token's. */
  cause?: unknown;
}

interface Answer {
  status: 401 | 403 | 503;
  title: string;
  detail: string;
}

const ANSWERS: Readonly<Record<AccessTokenErrorCode, Answer>> = {
  'authorization-token-missing': {
    status: 401,
    title: 'Access token missing',
    detail:
      'The request has no access token. Get one from the token endpoint and send it as: Authorization: Bearer <token>.',
  },
  'authorization-token-invalid': {
    status: 401,
    title: 'Access token invalid',
    detail:
      'The access token is not valid for this API. Check that it was issued by this platform for this API and was ' +
      'sent whole, or get a new one from the token endpoint.',
  },
  'authorization-token-expired': {
    status: 401,
    title: 'Access token expired',
    detail: 'The access token has expired. Get a new one from the token endpoint.',
  },
  insufficient_scope: {
    status: 403,
    title: 'Scope missing',
    detail:
      'The access token does not allow this call. Ask for the scope named in WWW-Authenticate, or ask the operator of ' +
      'the platform to allow it to the API user.',
  },
  insufficient_claims: {
    status: 403,
    title: 'Access token not allowed here',
    detail:
      'The access token is valid, but its claims do not allow this call. Ask the operator of the ' +
      'platform what the API user may do.',
  },
  'authorization-unavailable': {
    status: 503,
    title: 'Access tokens cannot be checked',
    detail:
      'The API cannot reach the keys or revocations of the token issuer. Retry after the time in Retry-After.',
  },
};

/**
 * A refused request. Neither the error nor anything it refers to holds the token or part of it, so it can be
 * logged.
 */
export class AccessTokenError extends Error {
  override readonly name = 'AccessTokenError';
  readonly code: AccessTokenErrorCode;
  readonly reason: AccessTokenErrorReason;
  /** The HTTP status of the response. */
  readonly status: 401 | 403 | 503;
  /** The value of the `WWW-Authenticate` header (RFC 6750 §3); undefined with status 503. */
  readonly wwwAuthenticate: string | undefined;
  /** The value of the `Retry-After` header, in seconds; only with status 503. */
  readonly retryAfterSeconds: number | undefined;
  /** The API user, if the issuer signed the token. */
  readonly clientId: string | undefined;
  /** The trace id in the response: the request's or a new one. Undefined without a request. */
  traceId: string | undefined;

  constructor(
    code: AccessTokenErrorCode,
    reason: AccessTokenErrorReason,
    message: string,
    details: AccessTokenErrorDetails = {},
  ) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.code = code;
    this.reason = reason;
    this.status = ANSWERS[code].status;
    this.wwwAuthenticate = challenge(code, details);
    this.retryAfterSeconds = details.retryAfterSeconds;
    this.clientId = details.clientId;
    this.traceId = undefined;
  }

  /** The platform's error body. `instance` is the path without the query, which may hold secrets. */
  toEnvelope({ traceId, instance }: { traceId: string; instance: string }): ErrorEnvelope {
    const { title, detail } = ANSWERS[this.code];
    const { code } = this;
    return { errors: [{ traceId, type: 'authorization', code, instance, title, detail }], warnings: [] };
  }
}

/** `error` comes first even without a token, as the platform's contract requires (decision 010). */
function challenge(code: AccessTokenErrorCode, details: AccessTokenErrorDetails): string | undefined {
  const { status, detail } = ANSWERS[code];
  if (status === 503) return undefined;
  const error = status === 403 ? 'insufficient_scope' : 'invalid_token';
  const parts = [`error="${error}"`, `error_description="${detail}"`];
  if (details.scope !== undefined) parts.push(`scope="${details.scope}"`);
  if (details.resourceMetadataUrl !== undefined) {
    parts.push(`resource_metadata="${details.resourceMetadataUrl}"`);
  }
  return `Bearer ${parts.join(', ')}`;
}

/** A refused token, inside the verifier, which turns it into an AccessTokenError. */
export class Refusal extends Error {
  readonly reason: AccessTokenErrorReason;
  readonly clientId: string | undefined;

  /** `clientId`: the API user, once the signature is verified. */
  constructor(reason: AccessTokenErrorReason, message: string, clientId?: string) {
    super(message);
    this.reason = reason;
    this.clientId = clientId;
  }
}
