import { ApiException } from './api-exception.ts';
import { ConfigurationError } from './configuration-error.ts';
import type { RequestEvent } from './events.ts';
import { codeOf, emit, nextOperation } from './events.ts';
import { exchange, requestIdOf } from './http-exchange.ts';
import type { InlineResponse200 } from './inline-response-200.ts';
import { parseTokenResponse } from './inline-response-200.ts';
import type { RetryPolicy } from './retry.ts';
import { isLasting, isTransient, retryDelayMs, retryPolicy } from './retry.ts';
import type { Settings } from './settings.ts';
import { defaults } from './settings.ts';
import type { TimeLimit } from './time-limit.ts';
import { pause, within } from './time-limit.ts';
import { failureFromResponse, failureWithoutResponse, rememberReachable } from './token-failure.ts';
import type { OAuth2TokenPostParameters, TokenRequest } from './token-request.ts';
import { tokenRequest } from './token-request.ts';

export interface RequestOptions {
  /** Aborts the call and its waits; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Timeout of one attempt, in milliseconds. Default: the configuration's. */
  readonly timeoutMs?: number | undefined;
  /** Overrides fields of the configuration's retry policy; `false` means one attempt. */
  readonly retry?: Partial<RetryPolicy> | false | undefined;
}

/** A token response with its HTTP status, headers and attempts. */
export interface TokenResponseWithHttpInfo {
  readonly data: InlineResponse200;
  readonly status: number;
  readonly headers: Headers;
  /** How many requests were sent. */
  readonly attempts: number;
  /** `x-request-id` of the response. */
  readonly requestId: string | undefined;
  /** When the successful request was sent, in epoch milliseconds: `expires_in` counts from here. */
  readonly sentAt: number;
}

/** The platform's authentication API. Its one method exchanges credentials for an access token. */
export class AuthenticationApi {
  declare readonly configuration: Settings;

  /** Without a `Configuration`, the defaults apply and each call passes its credentials. */
  constructor(configuration: Settings = defaults) {
    mustBeConfiguration(configuration);
    this.configuration = configuration;
  }

  /**
   * `POST {host}/oauth2/token`: authenticates an API user and returns an access token (RFC 6749 §4.4).
   *
   * @throws ConfigurationError if the client id or secret is missing.
   * @throws ApiException or a subclass if the server or the network fails the request.
   * @throws `options.signal.reason` if the signal is aborted.
   */
  async oAuth2TokenPost(
    parameters?: OAuth2TokenPostParameters,
    options?: RequestOptions,
  ): Promise<InlineResponse200> {
    return (await this.oAuth2TokenPostWithHttpInfo(parameters, options)).data;
  }

  /** Like `oAuth2TokenPost`, with status, headers, attempts and request id. Throws the same errors. */
  async oAuth2TokenPostWithHttpInfo(
    parameters: OAuth2TokenPostParameters = {},
    options: RequestOptions = {},
  ): Promise<TokenResponseWithHttpInfo> {
    return requestToken(this.configuration, parameters, options);
  }
}

/** Requests a token. The timers of a `background` request do not keep the process alive. */
export async function requestToken(
  configuration: Settings,
  parameters: OAuth2TokenPostParameters,
  options: RequestOptions,
  background = false,
): Promise<TokenResponseWithHttpInfo> {
  const { clock, onEvent } = configuration;
  const { signal, timeoutMs = configuration.timeoutMs } = options;
  const policy = retryPolicy(configuration.retry, options.retry);
  const clientId = parameters.clientId ?? configuration.clientId;
  const about = { operation: 'token', id: nextOperation(), clientId, background } as const;
  const startedAt = clock.now();
  const elapsed = () => clock.now() - startedAt;
  const limit = () => ({
    clock,
    ms: Math.max(1, Math.min(timeoutMs, policy.deadlineMs - elapsed())),
    signal,
    background,
  });
  try {
    let request: TokenRequest | undefined;
    let lastingFaults = 0;
    for (let attempt = 1; ; attempt++) {
      if (!request || request.renew) request = await tokenRequest(configuration, parameters, limit());
      const outcome = await attemptOnce(configuration, request, limit(), { ...about, attempt });
      if (!(outcome instanceof ApiException)) return outcome;
      const { code, status, retryAfterMs } = outcome;
      // Without a response the fault may be temporary, except a redirect that a browser hides.
      const mayPass = status > 0 ? isTransient(status) : code !== 'redirected';
      lastingFaults += Number(isLasting(status, outcome.cause));
      const delayMs = mayPass
        ? retryDelayMs(policy, attempt, elapsed(), retryAfterMs, lastingFaults)
        : undefined;
      if (delayMs === undefined) throw outcome;
      emit(onEvent, 'retry', { ...about, attempt, delayMs, reason: code });
      await pause(clock, delayMs, signal);
    }
  } catch (error) {
    const { requestId } = error instanceof ApiException ? error : {};
    emit(onEvent, 'failure', { ...about, code: codeOf(error), durationMs: elapsed(), requestId });
    throw error;
  }
}

/** Sends one request. Returns failures as values; throws only if the caller aborts. */
async function attemptOnce(
  { clock, fetch, onEvent }: Settings,
  request: TokenRequest,
  limit: TimeLimit,
  about: Omit<RequestEvent, 'type' | 'url' | 'method'>,
): Promise<TokenResponseWithHttpInfo | ApiException> {
  const { attempt } = about;
  const { url } = request;
  const sentAt = clock.now();
  emit(onEvent, 'request', { ...about, method: 'POST', url });
  try {
    const [response, body] = await within(limit, (signal) =>
      exchange(fetch, url, { ...request.init, signal }),
    );
    rememberReachable(url);
    const { status, headers } = response;
    const now = clock.now();
    const requestId = requestIdOf(response);
    emit(onEvent, 'response', { ...about, status, requestId, durationMs: now - sentAt });
    const data = response.ok ? parseTokenResponse(body) : '';
    return typeof data === 'string'
      ? failureFromResponse(request, attempt, now, response, body, data)
      : { data, status, headers, attempts: attempt, requestId, sentAt };
  } catch (error) {
    if (limit.signal?.aborted) throw error;
    return failureWithoutResponse(request, attempt, error);
  }
}

/** Catches plain parameters, which programs without types may pass. */
export function mustBeConfiguration({ clock }: Settings): void {
  if (!clock) throw new ConfigurationError('configuration', 'is no Configuration');
}
