import type { Clock } from './clock.ts';
import { systemClock } from './clock.ts';
import type { EventListener } from './events.ts';
import type { RetryPolicy } from './retry.ts';
import { defaultRetry } from './retry.ts';

export type FetchFunction = typeof globalThis.fetch;
export type FetchInput = Parameters<FetchFunction>[0];

/** What a function that proves the caller may use. */
export interface ProofContext {
  readonly clientId: string;
  /** `host` is the server's issuer, unless its operator chose another. */
  readonly configuration: Settings;
  /** Aborted after `timeoutMs`, or by the caller. */
  readonly signal: AbortSignal;
}

/**
 * A secret, or a function that fetches it from a vault. The function is called once per token request, not
 * per retry, so rotated secrets are picked up automatically. Its errors reach the caller unchanged; above
 * `timeoutMs` the call rejects with a `TimeoutError`.
 */
export type ClientSecret = string | ((context: ProofContext) => string | Promise<string>);

/**
 * Returns an assertion, a JWT that proves the caller without a secret (RFC 7521 §4.2). It is called for each
 * attempt, because the server accepts an assertion once.
 */
export type ClientAssertion = (context: ProofContext) => string | Promise<string>;

/** A Configuration's values, as a type: programs without a Configuration do not load the class. */
export interface Settings {
  readonly host: string;
  readonly tokenPath: string;
  readonly allowInsecure?: boolean | undefined;
  readonly clientId?: string | undefined;
  readonly clientSecret?: ClientSecret | undefined;
  readonly clientAuthentication?: 'form' | 'basic' | ClientAssertion | undefined;
  readonly scope?: string | undefined;
  readonly resource?: string | undefined;
  readonly fetch: FetchFunction;
  readonly timeoutMs: number;
  readonly retry: RetryPolicy;
  readonly clock: Clock;
  readonly onEvent?: EventListener | undefined;
}

export const defaults: Settings = {
  host: 'https://api.criteo.com/marketing',
  tokenPath: '/oauth2/token',
  fetch: (...request) => globalThis.fetch(...request),
  timeoutMs: 10_000,
  retry: defaultRetry,
  clock: systemClock,
};
