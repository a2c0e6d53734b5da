import { ApiException } from './api-exception.ts';
import { mustBeConfiguration, requestToken } from './authentication-api.ts';
import { ConfigurationError } from './configuration-error.ts';
import { emit } from './events.ts';
import type { HeldToken, RenewalWindows } from './held-token.ts';
import { defaultWindows, heldToken } from './held-token.ts';
import { given } from './retry.ts';
import type { FetchFunction, Settings } from './settings.ts';
import type { SharedToken } from './shared-token.ts';
import { sharedToken } from './shared-token.ts';
import { pause, within } from './time-limit.ts';
import type { WithTokenOptions } from './token-fetch.ts';
import { tokenFetch } from './token-fetch.ts';
import type { TokenStore } from './token-store.ts';
import type { Rules } from './validation.ts';
import { check, number, objectWith } from './validation.ts';

export interface TokenManagerOptions extends Partial<RenewalWindows> {
  /** Where a fleet shares the token. Default: each manager has its own, in memory. */
  readonly store?: TokenStore | undefined;
}

const optionRules: Rules = {
  store: objectWith('get', 'set'),
  advisoryWindowMs: number(0),
  mandatoryWindowMs: number(0),
};

/** A renewal that is under way. It resolves to undefined when another process is at it and nobody here waits. */
interface Renewal {
  readonly background: boolean;
  readonly token: Promise<string | undefined>;
}

interface Obtained {
  readonly token: HeldToken;
  readonly source: 'server' | 'store';
}

/** The longest pause between background renewals that fail. */
const BACK_OFF_MAX_MS = 60_000;

/** How long a process that waits for another one's token waits before it looks again: this and up to as much more. */
const LOOK_AGAIN_MS = 50;
/** The lock lasts for this many attempts, and whoever waits for it waits no longer. */
const LOCK_TIMEOUTS = 2;

/**
 * Holds the token of one API user: asks for it once however many callers wait, serves it from memory, renews it before
 * it ends. It has no timer: renewal is set off by the calls that need the token.
 */
export class TokenManager {
  readonly configuration: Settings;
  /** `fetch` with the token: see `withToken`. */
  readonly fetch: FetchFunction;
  readonly #windows: RenewalWindows;
  readonly #shared: SharedToken | undefined;
  #held: (HeldToken & { readonly promise: Promise<string> }) | undefined;
  #renewal: Renewal | undefined;
  #rejected: string | undefined;
  #failures = 0;
  #quietUntil = 0;

  /** @throws ConfigurationError that names the option which is missing, unknown or wrong. */
  constructor(configuration: Settings, options: TokenManagerOptions = {}) {
    mustBeConfiguration(configuration);
    for (const name of ['clientId', 'clientSecret'] as const) {
      if (!configuration[name]) throw new ConfigurationError(name, 'is missing');
    }
    check(options, optionRules);
    const { store } = options;
    this.configuration = configuration;
    this.#windows = { ...defaultWindows, ...given(options) };
    this.#shared = store && sharedToken(store, configuration, this.#windows);
    this.fetch = this.withToken(configuration.fetch);
  }

  /**
   * An access token that is good for the next call: from memory while it has long enough to live, else a new one.
   *
   * @throws ApiException when a token is needed and cannot be had; ConfigurationError when there is no secret.
   * @throws `signal.reason` when the signal is aborted; the request goes on for the other callers.
   */
  getToken(options?: { readonly signal?: AbortSignal | undefined }): Promise<string> {
    const held = this.#held;
    const signal = options?.signal;
    if (held !== undefined && !signal?.aborted) {
      const now = this.configuration.clock.now();
      if (now < held.renewFrom) return held.promise;
      if (now < held.waitFrom) {
        if (now >= this.#quietUntil) this.#renewal ??= this.#renew(true);
        return held.promise;
      }
    }
    if (!signal) return this.#waitForToken();
    return within({ clock: this.configuration.clock, signal }, () => this.#waitForToken());
  }

  /** Discards this very token, because an API refused it. Any other, such as the one that has replaced it, stays. */
  invalidate(token: string): void {
    if (this.#held?.accessToken === token) this.#held = undefined;
    this.#rejected = token;
  }

  /**
   * `fetch` that sends the token with each request, instead of an Authorization header that the request may have.
   *
   * A 401 with `invalid_token` is answered with one replay and a fresh token. A 429 waits for `Retry-After` or
   * `x-ratelimit-reset` and tries again; so do, for methods that may be repeated (RFC 9110 §9.2.2) and for requests with
   * an `Idempotency-Key`, connection errors, 408, 500, 502, 503 and 504. A body that is a stream is sent once. When the
   * retries are used up, the last response is returned, or the last error thrown.
   */
  withToken(fetch: FetchFunction, options?: WithTokenOptions): FetchFunction {
    return tokenFetch(this, fetch, options);
  }

  async #waitForToken(): Promise<string> {
    for (;;) {
      this.#renewal ??= this.#renew(false);
      const { background, token } = this.#renewal;
      // A background renewal gives up at the first obstacle, or leaves the work to another process: not so who waits.
      const renewed = await (background ? token.catch(() => undefined) : token);
      if (renewed !== undefined) return renewed;
    }
  }

  #renew(background: boolean): Renewal {
    const token = this.#obtain(background).finally(() => {
      this.#renewal = undefined;
    });
    // Whoever waits has a handler of his own; when nobody does, a failure must not end the process.
    token.catch(() => {});
    return { background, token };
  }

  async #obtain(background: boolean): Promise<string | undefined> {
    const { clock, clientId, onEvent } = this.configuration;
    const startedAt = clock.now();
    try {
      const obtained = await this.#fromStoreOrServer(background);
      if (!obtained) return undefined;
      const { token, source } = obtained;
      this.#held = { ...token, promise: Promise.resolve(token.accessToken) };
      this.#failures = 0;
      const now = clock.now();
      const [expiresInMs, durationMs] = [token.expiresAt - now, now - startedAt];
      const operation = 'token';
      emit(onEvent, 'renewal', { operation, clientId, background, source, expiresInMs, durationMs });
      return token.accessToken;
    } catch (error) {
      if (background) this.#backOff(error);
      throw error;
    }
  }

  /** No background renewal for a while: longer after each failure, shorter for a token that lives short. */
  #backOff(error: unknown): void {
    const firstMs = Math.min(5000, (this.#held?.lifeMs ?? 0) / 50);
    const boundMs = Math.min(BACK_OFF_MAX_MS, firstMs * 2 ** this.#failures++);
    const namedMs = error instanceof ApiException ? (error.retryAfterMs ?? 0) : 0;
    this.#quietUntil =
      this.configuration.clock.now() + Math.max(namedMs, boundMs * (0.5 + Math.random() / 2));
  }

  async #fromStoreOrServer(background: boolean): Promise<Obtained | undefined> {
    const shared = this.#shared;
    if (!shared) return this.#fromServer(background);
    const { clock, timeoutMs } = this.configuration;
    const giveUpAt = clock.now() + LOCK_TIMEOUTS * timeoutMs;
    for (;;) {
      const stored = await this.#fromStore(shared, background);
      if (stored) return stored;
      const unlock = await shared.lock(LOCK_TIMEOUTS * timeoutMs);
      if (unlock || clock.now() > giveUpAt) {
        try {
          // Another process may have finished between our look and our lock.
          return (await this.#fromStore(shared, background)) ?? (await this.#fromServer(background));
        } finally {
          await unlock?.();
        }
      }
      if (background) return undefined;
      await pause(clock, LOOK_AGAIN_MS * (1 + Math.random()));
    }
  }

  async #fromStore(shared: SharedToken, background: boolean): Promise<Obtained | undefined> {
    const token = await shared.read();
    if (!token || token.accessToken === this.#rejected) return undefined;
    const usableUntil = background ? token.renewFrom : token.waitFrom;
    return this.configuration.clock.now() < usableUntil ? { token, source: 'store' } : undefined;
  }

  async #fromServer(background: boolean): Promise<Obtained> {
    const options = background ? ({ retry: false } as const) : {};
    const { data, sentAt } = await requestToken(this.configuration, {}, options, background);
    const lifeMs = data.expires_in * 1000;
    const token = heldToken(data.access_token, lifeMs, sentAt + lifeMs, this.#windows);
    await this.#shared?.write(token);
    return { token, source: 'server' };
  }
}
