import type { Clock } from './clock.ts';
import { systemClock } from './clock.ts';
import type { EventListener } from './events.ts';
import type { RetryPolicy } from './retry.ts';
import { defaultRetry } from './retry.ts';

export type FetchFunction = typeof globalThis.fetch;
export type FetchInput = Parameters<FetchFunction>[0];

/**
 * A secret, or a function that fetches it from a vault. The function is called once per token request, not
 * per retry, so rotated secrets are picked up automatically. Its errors reach the caller unchanged; above
 * `timeoutMs` the call rejects with a `TimeoutError`.
 */
export type ClientSecret = string | ((context: { readonly signal: AbortSignal }) => string | Promise<string>);

/** A Configuration's values, as a type: programs without a Configuration do not load the class. */
export interface Settings {
  readonly host: string;
  readonly tokenPath: string;
  readonly allowInsecure?: boolean | undefined;
  readonly clientId?: string | undefined;
  readonly clientSecret?: ClientSecret | undefined;
  readonly clientAuthentication?: 'form' | 'basic' | undefined;
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
