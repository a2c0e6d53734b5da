/**
 * A place where the processes of a fleet share one token. Values are opaque strings that hold a token in the clear: keep
 * them where a secret may lie. An error, or no answer within a second, costs nobody a token: the manager then asks the
 * server.
 */
export interface TokenStore {
  /** The value last set under `key`; null or undefined when there is none. */
  get(key: string): Promise<string | null | undefined>;
  /** Keeps `value` for `ttlMs` milliseconds or longer. */
  set(key: string, value: string, ttlMs: number): Promise<void>;
  /**
   * Takes the lock of `key` for at most `ttlMs` milliseconds, and resolves to a function that gives it back; undefined
   * when somebody else holds it. With it one process of a fleet asks for a token while the others wait for the result.
   */
  lock?(key: string, ttlMs: number): Promise<(() => Promise<void>) | undefined>;
}
