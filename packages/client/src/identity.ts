import { ApiException, ConnectionException } from './api-exception.ts';
import { runtime } from './builtin.ts';
import { ConfigurationError } from './configuration-error.ts';
import { exchange } from './http-exchange.ts';
import { parseJson } from './inline-response-200.ts';
import { loopback } from './plain-http.ts';
import { mustBePrintable } from './printable.ts';
import { property, scrubbedError, scrubber } from './redaction.ts';
import { isTransient, retryAfterMs, retryDelayMs } from './retry.ts';
import type { ClientAssertion, ProofContext } from './settings.ts';
import { readSecretFile } from './text-file.ts';
import { pause } from './time-limit.ts';
import { check, text } from './validation.ts';

/** A file, which is read for each token request, or a function that returns a token. */
export type IdentitySource =
  | { readonly file: string }
  | ((context: ProofContext) => string | Promise<string>);

/**
 * Proves the caller with a token that another issuer gave the workload: Kubernetes, a cloud, a CI system. The
 * server needs a trust rule for it.
 *
 * @throws ConfigurationError without a file or function. Errors of the function reach the caller unchanged.
 */
export function identityToken(source: IdentitySource): ClientAssertion {
  if (typeof source === 'function')
    return async (context) => mustBeJwt('identityToken', await source(context));
  const file = property(source, 'file');
  if (typeof file !== 'string' || !file)
    throw new ConfigurationError('identityToken', 'needs { file } or a function');
  mustBePrintable('identityToken', file);
  return async () => mustBeJwt(file, await readSecretFile(file));
}

export interface GithubActionsOptions {
  /** `aud` of the token, which the trust rule names. Default: the configuration's `host`. */
  readonly audience?: string | undefined;
}

const REQUEST_URL = 'ACTIONS_ID_TOKEN_REQUEST_URL';
const REQUEST_TOKEN = 'ACTIONS_ID_TOKEN_REQUEST_TOKEN';
const HINT = 'the job needs "permissions: id-token: write", which pull requests from forks do not get';
/** GitHub's token service fails now and then. */
const ATTEMPTS_MAX = 3;

/**
 * Proves the caller with the token of a GitHub Actions job. Each attempt fetches a new one.
 *
 * @throws ConfigurationError outside of such a job, or if the job lacks `permissions: id-token: write`.
 * @throws ApiException from the token request, if GitHub gives no token.
 */
export function githubActions(
  options: GithubActionsOptions = {},
  env: Record<string, string | undefined> = runtime?.env ?? {},
): ClientAssertion {
  check(options, { audience: text });
  const [requestUrl, requestToken] = [REQUEST_URL, REQUEST_TOKEN].map((name) => {
    const value = env[name];
    mustBePrintable(name, value);
    if (!value) throw new ConfigurationError(name, `is not set: ${HINT}`);
    return value;
  });
  const address = secureUrl(requestUrl);
  return async (context) => {
    const { configuration, signal } = context;
    const { clock, retry } = configuration;
    const policy = { ...retry, attempts: Math.min(retry.attempts, ATTEMPTS_MAX) };
    const url = new URL(address);
    url.searchParams.set('audience', options.audience ?? configuration.host);
    const startedAt = clock.now();
    for (let attempt = 1; ; attempt++) {
      const outcome = await requestOnce(context, url, String(requestToken), attempt);
      if (typeof outcome === 'string') return outcome;
      const mayPass = outcome.status === 0 || isTransient(outcome.status);
      const elapsedMs = clock.now() - startedAt;
      const delayMs = mayPass ? retryDelayMs(policy, attempt, elapsedMs, outcome.retryAfterMs) : undefined;
      if (delayMs === undefined || signal.aborted) throw outcome;
      await pause(clock, delayMs, signal);
    }
  };
}

/** Returns the token, or the failure as a value. */
async function requestOnce(
  { configuration, signal }: ProofContext,
  url: URL,
  requestToken: string,
  attempts: number,
): Promise<string | ApiException> {
  const scrub = scrubber([requestToken]);
  const about = `GET ${url.origin}${url.pathname}`;
  try {
    const headers = { accept: 'application/json', authorization: `Bearer ${requestToken}` };
    // Following a redirect would send the request token to another host.
    const init: RequestInit = { headers, redirect: 'manual', signal };
    const [response, body] = await exchange(configuration.fetch, url.href, init);
    const { status } = response;
    const token = property(parseJson(body), 'value');
    if (response.ok && typeof token === 'string') return mustBeJwt('githubActions', token);
    const details = {
      status,
      attempts,
      body: scrub(body),
      retryAfterMs: retryAfterMs(response, configuration.clock.now()),
    };
    if (response.ok)
      return new ApiException(`${about}: no token in the response`, {
        code: 'malformed_response',
        ...details,
      });
    return new ApiException(`${about}: ${status}. Check that ${HINT}`, {
      code: 'unexpected_status',
      ...details,
    });
  } catch (error) {
    if (signal.aborted || error instanceof ConfigurationError) throw error;
    const cause = scrubbedError(error, scrub);
    return new ConnectionException(
      `${about}: ${cause.message}`,
      { code: 'connection_failed', attempts },
      cause,
    );
  }
}

function secureUrl(address = ''): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url && (url.protocol === 'https:' || (url.protocol === 'http:' && loopback.test(url.hostname))))
    return url;
  throw new ConfigurationError(
    REQUEST_URL,
    `must use https, not ${url?.origin ?? 'a text that is not a URL'}`,
  );
}

function mustBeJwt(option: string, token: unknown): string {
  if (typeof token === 'string' && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) return token;
  throw new ConfigurationError(option, 'must be a JWT: three parts in base64url, joined by dots');
}
