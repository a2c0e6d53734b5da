import type { Settings } from './settings.ts';
import type { TokenManagerOptions } from './token-manager.ts';
import { TokenManager } from './token-manager.ts';

export interface TokenManagerPoolOptions extends TokenManagerOptions {
  /** Maximum number of managers; the least recently used is dropped first. Default 10,000. */
  readonly managersMax?: number | undefined;
}

/** One token manager per tenant, created on first use. */
export class TokenManagerPool {
  readonly #configure: (tenant: string) => Settings;
  readonly #options: TokenManagerOptions;
  readonly #managersMax: number;
  /** Least recently used first: a Map iterates in insertion order. */
  readonly #managers = new Map<string, TokenManager>();

  /** `configure` returns a tenant's credentials; `clientSecret` may be a function. */
  constructor(
    configure: (tenant: string) => Settings,
    { managersMax = 10_000, ...options }: TokenManagerPoolOptions = {},
  ) {
    this.#configure = configure;
    this.#options = options;
    this.#managersMax = managersMax;
  }

  /** Returns a tenant's manager, always the same while the pool keeps it. @throws what `configure` throws. */
  for(tenant: string): TokenManager {
    const manager = this.#managers.get(tenant) ?? new TokenManager(this.#configure(tenant), this.#options);
    this.#managers.delete(tenant);
    this.#managers.set(tenant, manager);
    const [oldest] = this.#managers.keys();
    if (this.#managers.size > this.#managersMax && oldest !== undefined) this.#managers.delete(oldest);
    return manager;
  }

  /** Drops a tenant's manager, for example after its credentials changed. */
  delete(tenant: string): void {
    this.#managers.delete(tenant);
  }
}
