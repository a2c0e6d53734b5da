/**
 * A store through which a fleet's processes share a token. Values are opaque strings that hold the token in
 * clear text: protect the store like a secret. If the store fails or takes over a second, the manager
 * requests a token from the server.
 */
export interface TokenStore {
  /** The last value of `key`; null or undefined without one. */
  get(key: string): Promise<string | null | undefined>;
  /** Keeps `value` for `ttlMs` milliseconds or longer. */
  set(key: string, value: string, ttlMs: number): Promise<void>;
  /**
   * Takes the lock of `key` for at most `ttlMs` milliseconds. Resolves to a function that releases it; to
   * undefined if another process holds it. The lock's owner requests a token; the others wait for it.
   */
  lock?(key: string, ttlMs: number): Promise<(() => Promise<void>) | undefined>;
}
