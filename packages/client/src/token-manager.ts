import { ApiException } from './api-exception.ts';
import { mustBeConfiguration, requestToken } from './authentication-api.ts';
import { ConfigurationError } from './configuration-error.ts';
import { emit } from './events.ts';
import type { HeldToken, RenewalWindows } from './held-token.ts';
import { defaultWindows, heldToken } from './held-token.ts';
import { withoutUndefined } from './retry.ts';
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
  /** A store that a fleet shares. Default: each manager keeps its own token in memory. */
  readonly store?: TokenStore | undefined;
}

const optionRules: Rules = {
  store: objectWith('get', 'set'),
  advisoryWindowMs: number(0),
  mandatoryWindowMs: number(0),
};

/** A renewal in progress. In the background it resolves to undefined if another process holds the lock. */
interface Renewal {
  readonly background: boolean;
  readonly token: Promise<string | undefined>;
}

interface TokenWithSource {
  readonly token: HeldToken;
  readonly source: 'server' | 'store';
}

/** Upper bound of the pause after failed background renewals. */
const BACK_OFF_MAX_MS = 60_000;

/** Interval between reads of the store while another process fetches the token; jitter adds up to as much. */
const STORE_POLL_MS = 50;
/** The lock, and the wait for it, last this many times `timeoutMs`. */
const LOCK_TIMEOUTS = 2;

/**
 * Holds one API user's token: sends one request for all waiting callers, serves the token from memory and
 * renews it before it expires. No timer: calls that need the token start the renewal.
 */
export class TokenManager {
  declare readonly configuration: Settings;
  /** `fetch` with the token; see `withToken`. */
  declare readonly fetch: FetchFunction;
  readonly #windows: RenewalWindows;
  readonly #shared: SharedToken | undefined;
  #held: (HeldToken & { readonly promise: Promise<string> }) | undefined;
  #renewal: Renewal | undefined;
  #rejected: string | undefined;
  #failures = 0;
  #quietUntil = 0;

  /** @throws ConfigurationError that names the missing, unknown or wrong option. */
  constructor(configuration: Settings, options: TokenManagerOptions = {}) {
    mustBeConfiguration(configuration);
    for (const name of ['clientId', 'clientSecret'] as const) {
      if (!configuration[name]) throw new ConfigurationError(name, 'is missing');
    }
    check(options, optionRules);
    const { store } = options;
    this.configuration = configuration;
    this.#windows = { ...defaultWindows, ...withoutUndefined(options) };
    this.#shared = store && sharedToken(store, configuration, this.#windows);
    this.fetch = this.withToken(configuration.fetch);
  }

  /**
   * Returns an access token for the next call: the one in memory if it lives long enough, else a new one.
   *
   * @throws ApiException if a new token is needed and the request fails; ConfigurationError without a secret.
   * @throws `signal.reason` if the signal is aborted; the request continues for other callers.
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

  /** Discards this token after an API refused it. A different token, such as its successor, stays. */
  invalidate(token: string): void {
    if (this.#held?.accessToken === token) this.#held = undefined;
    this.#rejected = token;
  }

  /**
   * Returns a `fetch` that sends the token in the Authorization header and replaces any that the request has.
   *
   * A 401 with `invalid_token` is replayed once with a new token. A 429 is retried after `Retry-After` or
   * `x-ratelimit-reset`. Connection errors, 408, 500, 502, 503 and 504 are retried for idempotent methods
   * (RFC 9110 §9.2.2) and requests with an `Idempotency-Key`. A stream body is sent once. After the last
   * retry, returns the last response or throws the last error.
   */
  withToken(fetch: FetchFunction, options?: WithTokenOptions): FetchFunction {
    return tokenFetch(this, fetch, options);
  }

  async #waitForToken(): Promise<string> {
    for (;;) {
      this.#renewal ??= this.#renew(false);
      const { background, token } = this.#renewal;
      // A background renewal may fail early or yield to another process; callers then start their own.
      const renewed = await (background ? token.catch(() => undefined) : token);
      if (renewed !== undefined) return renewed;
    }
  }

  #renew(background: boolean): Renewal {
    const token = this.#obtain(background).finally(() => {
      this.#renewal = undefined;
    });
    // Callers have their own handlers. Without callers, a failed renewal must not end the process.
    token.catch(() => {});
    return { background, token };
  }

  async #obtain(background: boolean): Promise<string | undefined> {
    const { clock, clientId, onEvent } = this.configuration;
    const startedAt = clock.now();
    try {
      const result = await this.#fromStoreOrServer(background);
      if (!result) return undefined;
      const { token, source } = result;
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

  /** Pauses background renewals: longer after each failure, shorter for short-lived tokens. */
  #backOff(error: unknown): void {
    const firstMs = Math.min(5000, (this.#held?.lifeMs ?? 0) / 50);
    const boundMs = Math.min(BACK_OFF_MAX_MS, firstMs * 2 ** this.#failures++);
    const namedMs = error instanceof ApiException ? (error.retryAfterMs ?? 0) : 0;
    this.#quietUntil =
      this.configuration.clock.now() + Math.max(namedMs, boundMs * (0.5 + Math.random() / 2));
  }

  async #fromStoreOrServer(background: boolean): Promise<TokenWithSource | undefined> {
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
          // Another process may have stored a token between our read and our lock.
          return (await this.#fromStore(shared, background)) ?? (await this.#fromServer(background));
        } finally {
          await unlock?.();
        }
      }
      if (background) return undefined;
      await pause(clock, STORE_POLL_MS * (1 + Math.random()));
    }
  }

  async #fromStore(shared: SharedToken, background: boolean): Promise<TokenWithSource | undefined> {
    const token = await shared.read();
    if (!token || token.accessToken === this.#rejected) return undefined;
    const usableUntil = background ? token.renewFrom : token.waitFrom;
    return this.configuration.clock.now() < usableUntil ? { token, source: 'store' } : undefined;
  }

  async #fromServer(background: boolean): Promise<TokenWithSource> {
    const options = background ? ({ retry: false } as const) : {};
    const { data, sentAt } = await requestToken(this.configuration, {}, options, background);
    const lifeMs = data.expires_in * 1000;
    const token = heldToken(data.access_token, lifeMs, sentAt + lifeMs, this.#windows);
    await this.#shared?.write(token);
    return { token, source: 'server' };
  }
}
