import type { ApiExceptionCode } from './api-exception.ts';
import {
  ApiException,
  BadRequestException,
  ConnectionException,
  ForbiddenException,
  MalformedResponseException,
  RateLimitException,
  ServerException,
  TimeoutException,
} from './api-exception.ts';
import { escaped, shown } from './escape.ts';
import { codeOf } from './events.ts';
import { requestIdOf } from './http-exchange.ts';
import { parseJson } from './inline-response-200.ts';
import { property, scrubbedError } from './redaction.ts';
import { retryAfterMs } from './retry.ts';
import { TIMEOUT } from './time-limit.ts';
import type { TokenRequest } from './token-request.ts';

type Kind = readonly [typeof ApiException, ApiExceptionCode, advice?: string];

const redirected: Kind = [ApiException, 'redirected', 'Check host'];
const forbidden: Kind = [ForbiddenException, 'forbidden', 'Check id and credential'];

/** By status or its first digit. Browsers report a redirect that was not followed as status 0. */
const kinds: Record<number, Kind> = {
  0: redirected,
  2: [MalformedResponseException, 'malformed_response', 'Check host'],
  3: redirected,
  400: [BadRequestException, 'bad_request'],
  401: forbidden,
  403: forbidden,
  408: [TimeoutException, 'timeout'],
  429: [RateLimitException, 'rate_limited'],
  5: [ServerException, 'server_error'],
};

/** Above this many token endpoints the set is cleared, to bound memory. */
const REACHABLE_MAX = 1000;
/** Token endpoints that have responded: their host is right and reachable. */
const reachable = new Set<string>();

export function rememberReachable(url: string): void {
  if (reachable.size >= REACHABLE_MAX) reachable.clear();
  reachable.add(url);
}

/** The exception for an attempt that brought no response. */
export function failureWithoutResponse(
  request: TokenRequest,
  attempts: number,
  thrown: unknown,
): ApiException {
  const cause = scrubbedError(thrown, request.scrub);
  // `fetch` puts the reason into the cause.
  const inner = cause.cause instanceof Error ? cause.cause : cause;
  const reason = inner.message || codeOf(inner);
  const [Exception, code, advice] =
    cause.name === TIMEOUT
      ? ([TimeoutException, 'timeout', 'Check timeoutMs'] as const)
      : ([ConnectionException, 'connection_failed', hostAdvice(request.url)] as const);
  return new Exception(`POST ${request.url}: ${reason}. ${advice}`, { code, reason, attempts }, cause);
}

function hostAdvice(url: string): string {
  return reachable.has(url) ? 'It answered before: it may restart' : 'Check host';
}

/** The exception for a response without a token; `flaw` describes the fault of a 2xx body. */
export function failureFromResponse(
  { scrub, url }: TokenRequest,
  attempts: number,
  now: number,
  response: Response,
  text: string,
  flaw: string,
): ApiException {
  const { status } = response;
  const [Exception, code, advice] = kinds[status] ??
    kinds[Math.floor(status / 100)] ?? [ApiException, 'unexpected_status', 'Check host'];
  // Scrub before cutting: half a secret would not be recognized.
  const clean = (value: string) => shown(scrub(value));
  const [reason, body] = [clean(response.statusText), scrub(text)];
  const headers = new Headers();
  response.headers.forEach((value, name) => headers.append(name, escaped(scrub(value))));
  const [error, errorDescription, traceId] = ['error', 'error_description', 'trace_id'].map((name) => {
    const value = property(parseJson(body), name);
    return typeof value === 'string' ? shown(value) : undefined;
  });
  const requestId = requestIdOf({ headers }) ?? traceId;
  const message = [
    `POST ${url}: ${status} ${reason}`,
    error,
    errorDescription,
    shown(headers.get('location') ?? ''),
    flaw,
    advice,
    requestId && `request ${requestId}`,
  ];
  return new Exception(message.filter(Boolean).join(' | '), {
    code,
    status,
    reason,
    body,
    headers,
    error,
    errorDescription,
    requestId,
    retryAfterMs: retryAfterMs(response, now),
    attempts,
  });
}
