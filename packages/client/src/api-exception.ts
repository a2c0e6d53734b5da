/** Stable names of what went wrong; messages may change, these do not. */
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
  /** Stable, one word per kind of failure. */
  readonly code: ApiExceptionCode;
  /** HTTP status; 0 when there was no response. */
  readonly status: number;
  /** The status in words (`Forbidden`), or the reason why there was no response. */
  readonly reason: string;
  /** The response's body as text; empty when there was none, or more than 64 KiB. */
  readonly body: string;
  readonly headers: Headers;
  /** `error` of the body (RFC 6749 §5.2), such as `invalid_client`. */
  readonly error: string | undefined;
  /** `error_description` of the body. */
  readonly errorDescription: string | undefined;
  /** `x-request-id` or `trace_id` of the response: what to quote to the platform's support. */
  readonly requestId: string | undefined;
  /** Milliseconds after which the server said to come back. */
  readonly retryAfterMs: number | undefined;
  /** How many requests were sent. */
  readonly attempts: number;
}

/** Every failure of a token request. Secrets and tokens have been taken out of each of its properties. */
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

  /** The same for all subclasses: class names do not survive a minifier. */
  override get name(): string {
    return 'ApiException';
  }
}

/** 400: the request is at fault and will fail again: a missing parameter, an unknown grant type, scope or resource. */
export class BadRequestException extends ApiException {}

/** 401 or 403: these credentials do not work, or not from here. */
export class ForbiddenException extends ApiException {}

/** 429, after the last retry: `retryAfterMs` says when to come back. */
export class RateLimitException extends ApiException {}

/** 5xx, after the last retry. */
export class ServerException extends ApiException {}

/** No complete response in time, or the server's own 408. */
export class TimeoutException extends ApiException {}

/** The connection could not be made, or broke before the response was complete; `cause` says how. */
export class ConnectionException extends ApiException {}

/** A success whose body is no token response: a proxy's or another server's page, or half a body. */
export class MalformedResponseException extends ApiException {}
