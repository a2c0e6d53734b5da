import type { FetchFunction, FetchInput, Settings } from './settings.ts';
import { codeOf, emit, nextOperation } from './events.ts';
import { requestIdOf } from './http-exchange.ts';
import { mustBeSecure } from './plain-http.ts';
import { isRequest, sendableBody } from './request-body.ts';
import type { RetryPolicy } from './retry.ts';
import { isLasting, isTransient, retryAfterMs, retryDelayMs, retryPolicy } from './retry.ts';
import { pause } from './time-limit.ts';

export interface WithTokenOptions {
  /** Overrides fields of the retry policy; `false` leaves only the replay after a refused token. */
  readonly retry?: Partial<RetryPolicy> | false | undefined;
}

/** The members of `TokenManager` that an API call uses. */
interface TokenSource {
  readonly configuration: Settings;
  getToken(options?: { readonly signal?: AbortSignal | undefined }): Promise<string>;
  invalidate(token: string): void;
}

/** A response to an attempt with this token, which the call continues from. */
interface FirstAttempt {
  readonly token: string;
  readonly response: Response;
}

/** See `TokenManager.withToken`. */
export function tokenFetch(
  manager: TokenSource,
  fetch: FetchFunction,
  options: WithTokenOptions = {},
): FetchFunction {
  const policy = retryPolicy(manager.configuration.retry, options.retry);
  return (input, init) => callWithToken(manager, fetch, policy, input, init);
}

/** One API call: retries until there is a response to return or an error that retries cannot help. */
export async function callWithToken(
  manager: TokenSource,
  fetch: FetchFunction,
  policy: RetryPolicy,
  input: FetchInput,
  options?: RequestInit,
  first?: FirstAttempt,
): Promise<Response> {
  const { allowInsecure, clock, clientId, onEvent } = manager.configuration;
  const address = isRequest(input) ? input.url : input.toString();
  mustBeSecure('url', address, allowInsecure);
  const request = isRequest(input) ? input : undefined;
  const { init, repeatable } = await sendableBody(input, options);
  const headers = new Headers(init.headers ?? request?.headers);
  const method = (init.method ?? request?.method ?? 'GET').toUpperCase();
  const signal = init.signal ?? request?.signal;
  const url = address.replace(/[?#].*$/s, '');
  const about = { operation: 'call', id: nextOperation(), clientId } as const;
  const startedAt = clock.now();
  let mayReplay: boolean = repeatable;
  let lastingFaults = 0;
  for (let attempt = 1; ; attempt++) {
    const token = (attempt === 1 && first?.token) || (await manager.getToken({ signal }));
    let response = attempt === 1 ? first?.response : undefined;
    let failure: unknown;
    headers.set('authorization', `Bearer ${token}`);
    const sentAt = clock.now();
    if (!response) emit(onEvent, 'request', { ...about, attempt, method, url });
    try {
      response ??= await fetch(input, { ...init, headers });
    } catch (error) {
      failure = error;
    }
    const now = clock.now();
    const status = response?.status ?? 0;
    const requestId = response && requestIdOf(response);
    const durationMs = now - sentAt;
    if (response) emit(onEvent, 'response', { ...about, attempt, status, requestId, durationMs });
    const refused = refusesToken(response);
    if (refused) manager.invalidate(token);
    const namedMs = response && retryAfterMs(response, now);
    const again = repeatable && !signal?.aborted && mayBeRepeated(status, method, headers);
    lastingFaults += Number(isLasting(status, failure));
    const delayMs =
      refused && mayReplay
        ? 0
        : again
          ? retryDelayMs(policy, attempt, now - startedAt, namedMs, lastingFaults)
          : undefined;
    if (delayMs === undefined) {
      if (response) return response;
      emit(onEvent, 'failure', { ...about, code: codeOf(failure), durationMs, requestId });
      throw failure;
    }
    if (refused) mayReplay = false;
    emit(onEvent, 'retry', {
      ...about,
      attempt,
      delayMs,
      reason: response ? `${status}` : codeOf(failure),
    });
    // An unread body keeps its connection open.
    response?.body?.cancel().catch(() => {});
    if (delayMs > 0) await pause(clock, delayMs, signal);
  }
}

/**
 * Whether a fault may be temporary (status 0: no response) and the request may be repeated. A 429 had no
 * effect; after other faults only idempotent requests may (RFC 9110 §9.2.2).
 */
function mayBeRepeated(status: number, method: string, headers: Headers): boolean {
  if (status === 429) return true;
  const idempotent = /^(GET|HEAD|OPTIONS|PUT|DELETE)$/.test(method) || headers.has('idempotency-key');
  return idempotent && (status === 0 || isTransient(status));
}

/** RFC 6750 §3.1. After a 401 for another reason, a new token does not help. */
function refusesToken(response: Response | undefined): boolean {
  const challenge = response?.status === 401 && response.headers.get('www-authenticate');
  return /\berror\s*=\s*"?invalid_token\b/i.test(challenge || '');
}
