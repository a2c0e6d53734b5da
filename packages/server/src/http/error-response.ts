import type { Denial } from '../domain/denial.ts';
import { INTROSPECT_SCOPE } from '../oauth/introspect-token.ts';
import { asciiJson } from '../lib/ascii-json.ts';
import { NO_STORE, type Answer } from './answer.ts';
import { header, headerReferences, jsonResponse, text, type Description } from './operation.ts';
import { quotaHeaders, rateLimitHeaders, retryAfter } from './rate-limit-headers.ts';

/** Only this file maps a denial to status and text on the wire (contract: "Every error is JSON"). */
export function denialAnswer(denial: Denial, traceId: string, usedBasic: boolean, nowMs: number): Answer {
  switch (denial.denied) {
    case 'invalid_request':
    case 'invalid_scope':
    case 'invalid_target':
      return errorAnswer(400, denial.denied, denial.description, traceId);
    case 'unsupported_grant_type':
      return errorAnswer(400, denial.denied, UNSUPPORTED_GRANT_TYPE, traceId);
    case 'invalid_client':
      // RFC 6749 §5.2: a client that used HTTP authentication gets 401 with its scheme in WWW-Authenticate.
      return usedBasic
        ? errorAnswer(401, denial.denied, INVALID_CLIENT, traceId, ['WWW-Authenticate', BASIC_CHALLENGE])
        : errorAnswer(403, denial.denied, INVALID_CLIENT, traceId);
    case 'unauthorized_client':
      return errorAnswer(403, denial.denied, UNAUTHORIZED[denial.reason], traceId);
    case 'rate_limit_exceeded':
      return errorAnswer(429, denial.denied, TOO_MANY[denial.policy], traceId, [
        ...retryAfter(denial.limit.waitMs),
        ...rateLimitHeaders(denial.policy, denial.limit, nowMs),
      ]);
    case 'quota_exceeded':
      return errorAnswer(429, 'rate_limit_exceeded', QUOTA[denial.unit], traceId, [
        ...retryAfter(denial.waitMs),
        ...quotaHeaders(denial, nowMs),
      ]);
    case 'temporarily_unavailable':
      return errorAnswer(503, denial.denied, UNAVAILABLE, traceId, retryAfter(UNAVAILABLE_RETRY_MS));
    case 'overloaded':
      return overloadedAnswer(traceId);
  }
}

/** Built in advance: an overloaded server sends thousands of these a second and has the least time for it. */
export function overloadedAnswer(traceId: string): Answer {
  return { status: 503, headers: OVERLOADED_HEADERS, body: `${OVERLOADED_BODY}${traceId}"}` };
}

export function errorAnswer(
  status: number,
  error: string,
  description: string,
  traceId: string,
  headers: readonly string[] = [],
): Answer {
  const body = asciiJson({ error, error_description: description, trace_id: traceId });
  return { status, headers: [...NO_STORE, ...headers], body };
}

/** The answer to a bug. The log has the cause under the same trace id. */
export function serverErrorAnswer(traceId: string): Answer {
  return errorAnswer(
    500,
    'server_error',
    'The server met an unexpected condition. Try again; if it stays, tell the operator of the platform the trace_id.',
    traceId,
  );
}

export const BASIC_CHALLENGE = 'Basic realm="mintmark", charset="UTF-8"';
const UNAVAILABLE_RETRY_MS = 1000;

const UNSUPPORTED_GRANT_TYPE =
  'The only grant type here is client_credentials: send grant_type=client_credentials, or leave it out.';

const INVALID_CLIENT =
  'The client could not be authenticated. Check that client_id belongs to the client_secret or client_assertion, and that ' +
  'both were copied whole. The credential may have been reset, retired or expired, or the API user disabled: ask the ' +
  'operator of the platform.';

const UNAUTHORIZED = {
  address_not_allowed:
    'The credentials are right, but this API user may not be used from this network address: ask the operator of the ' +
    'platform to allow it.',
  may_not_introspect:
    'The credentials are right, but this API user may not ask about tokens: ask the operator of the platform to give it ' +
    `the scope ${INTROSPECT_SCOPE}.`,
  not_its_token: 'The token was issued to another API user: only that one may revoke it.',
} as const;

const UNAVAILABLE =
  'The server cannot answer this request just now. Try again after the time in Retry-After.';

const OVERLOADED_HEADERS = [...NO_STORE, ...retryAfter(UNAVAILABLE_RETRY_MS)];

const OVERLOADED_BODY = `${JSON.stringify({
  error: 'temporarily_unavailable',
  error_description:
    'The server has more requests than it can answer in time. Try again after the time in Retry-After.',
}).slice(0, -1)},"trace_id":"`;

const TOO_MANY = {
  'api-user':
    'This API user has made too many calls. Wait for the time in Retry-After, and keep each token until it expires.',
  organisation:
    'The API users of this organisation have made too many calls together. Wait for the time in Retry-After, and keep ' +
    'each token until it expires.',
  address: 'Too many calls from this network address. Wait for the time in Retry-After.',
  failures:
    'Too many failed attempts with this client_id from this network address. Wait for the time in Retry-After, and ' +
    'check the credentials.',
} as const;

const QUOTA = {
  hour:
    'The organisation has used up its tokens of this hour (UTC). Wait for the time in Retry-After, and keep each token ' +
    'until it expires.',
  day:
    'The organisation has used up its tokens of this day (UTC). Wait for the time in Retry-After, and keep each token ' +
    'until it expires.',
} as const;

/** An error in the OpenAPI document. */
export function errorResponse(description: string, headers: readonly string[] = []): Description {
  return {
    ...jsonResponse(description, 'Error'),
    headers: headerReferences(['X-Request-Id', ...headers]),
  };
}

export const ERROR_SCHEMAS: Description = {
  Error: {
    type: 'object',
    required: ['error', 'error_description', 'trace_id'],
    properties: {
      error: text,
      error_description: text,
      trace_id: { ...text, pattern: '^[0-9a-f]{32}$', description: 'The same as X-Request-Id' },
    },
    additionalProperties: false,
  },
};

export const ERROR_HEADERS: Description = { 'WWW-Authenticate': header('RFC 7617') };
