/** Kinds of failure. The names are stable; messages may change. */
export type ApiExceptionCode =
  | 'bad_request'
  | 'forbidden'
  | 'rate_limited'
  | 'server_error'
  | 'timeout'
  | 'connection_failed'
  | 'malformed_response'
  | 'redirected'
  | 'unexpected_status';

export interface ApiExceptionDetails {
  /** Stable: programs may compare it. */
  readonly code: ApiExceptionCode;
  /** HTTP status; 0 when there was no response. */
  readonly status: number;
  /** The status in words (`Forbidden`), or the reason why there was no response. */
  readonly reason: string;
  /** The response's body as text; empty without a response or above 64 KiB. */
  readonly body: string;
  readonly headers: Headers;
  /** The body's `error` (RFC 6749 §5.2), such as `invalid_client`. */
  readonly error: string | undefined;
  /** The body's `error_description`. */
  readonly errorDescription: string | undefined;
  /** `x-request-id` or `trace_id` of the response; the platform's support asks for it. */
  readonly requestId: string | undefined;
  /** How long the server asks to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** How many requests were sent. */
  readonly attempts: number;
}

/** A token request that failed. No property holds a secret or a token. */
export class ApiException extends Error implements ApiExceptionDetails {
  declare readonly code: ApiExceptionCode;
  declare readonly status: number;
  declare readonly reason: string;
  declare readonly body: string;
  declare readonly headers: Headers;
  declare readonly error: string | undefined;
  declare readonly errorDescription: string | undefined;
  declare readonly requestId: string | undefined;
  declare readonly retryAfterMs: number | undefined;
  declare readonly attempts: number;

  constructor(message: string, details: Partial<ApiExceptionDetails>, cause?: Error) {
    super(message, cause && { cause });
    Object.assign(this, { status: 0, reason: '', body: '', headers: new Headers() }, details);
  }

  /** The same for all subclasses, because minifiers rename classes. */
  override get name(): string {
    return 'ApiException';
  }
}

/** 400: the request is wrong and will fail again, such as an unknown grant type, scope or resource. */
export class BadRequestException extends ApiException {}

/** 401 or 403: the credentials are wrong, or not allowed from this address. */
export class ForbiddenException extends ApiException {}

/** 429, after the last retry; `retryAfterMs` says how long to wait. */
export class RateLimitException extends ApiException {}

/** 5xx, after the last retry. */
export class ServerException extends ApiException {}

/** No complete response in time, or the server's own 408. */
export class TimeoutException extends ApiException {}

/** The connection failed, or broke before the response was complete; `cause` says why. */
export class ConnectionException extends ApiException {}

/** A 2xx response without a token in its body: a proxy's page, for example, or half a body. */
export class MalformedResponseException extends ApiException {}
