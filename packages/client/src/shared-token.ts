import { codeOf, emit } from './events.ts';
import type { HeldToken, RenewalWindows } from './held-token.ts';
import { fromStoredValue, storedValue } from './held-token.ts';
import type { Settings } from './settings.ts';
import { within } from './time-limit.ts';
import type { TokenStore } from './token-store.ts';

const STORE_TIMEOUT_MS = 1000;
/** A failed store is not used for this long: a frozen Redis must not delay every renewal by seconds. */
const STORE_PAUSE_MS = 10_000;

/** One token in a shared store. Store errors never throw; they count as a missing token. */
export interface SharedToken {
  read(): Promise<HeldToken | undefined>;
  write(token: HeldToken): Promise<unknown>;
  /** Resolves to a function that releases the lock; undefined if another process holds it. */
  lock(ttlMs: number): Promise<(() => Promise<unknown>) | undefined>;
}

export function sharedToken(
  store: TokenStore,
  configuration: Settings,
  windows: RenewalWindows,
): SharedToken {
  const { clock, clientId, onEvent, host, tokenPath, scope, resource } = configuration;
  const key = `mintmark:${JSON.stringify([host + tokenPath, clientId, scope, resource])}`;
  let pausedUntil = 0;

  /** The store's answer; undefined if it fails or times out. */
  async function ask<T>(question: () => Promise<T>): Promise<T | undefined> {
    const startedAt = clock.now();
    if (startedAt < pausedUntil) return undefined;
    try {
      return await within({ clock, ms: STORE_TIMEOUT_MS }, async () => question());
    } catch (error) {
      const now = clock.now();
      pausedUntil = now + STORE_PAUSE_MS;
      const about = { operation: 'store', clientId, requestId: undefined } as const;
      emit(onEvent, 'failure', { ...about, code: codeOf(error), durationMs: now - startedAt });
      return undefined;
    }
  }

  return {
    async read() {
      const value = await ask(() => store.get(key));
      return value ? fromStoredValue(value, clock.now(), windows) : undefined;
    },
    write(token) {
      const ttlMs = Math.max(1, Math.ceil(token.expiresAt - clock.now()));
      return ask(() => store.set(key, storedValue(token), ttlMs));
    },
    async lock(ttlMs) {
      const answer = await ask(async () => ({ unlock: store.lock ? await store.lock(key, ttlMs) : noLock }));
      // Without an answer or support for locks, continue without a lock.
      const { unlock } = answer ?? { unlock: noLock };
      return unlock && (() => ask(unlock));
    },
  };
}

async function noLock(): Promise<void> {}
