import type { Settings } from './settings.ts';
import type { TokenManagerOptions } from './token-manager.ts';
import { TokenManager } from './token-manager.ts';

export interface TokenManagerPoolOptions extends TokenManagerOptions {
  /** How many managers are kept; the one not asked for longest is let go first. Default 10,000. */
  readonly managersMax?: number | undefined;
}

/** One token manager for each of the tenants that a process works for, made when it is first asked for. */
export class TokenManagerPool {
  readonly #configure: (tenant: string) => Settings;
  readonly #options: TokenManagerOptions;
  readonly #managersMax: number;
  /** The least recently used first, which is the order in which a Map iterates. */
  readonly #managers = new Map<string, TokenManager>();

  /** `configure` says who a tenant is; a `clientSecret` that is a function may fetch the secret later. */
  constructor(
    configure: (tenant: string) => Settings,
    { managersMax = 10_000, ...options }: TokenManagerPoolOptions = {},
  ) {
    this.#configure = configure;
    this.#options = options;
    this.#managersMax = managersMax;
  }

  /** The manager of a tenant, always the same one as long as it is kept. @throws what `configure` throws. */
  for(tenant: string): TokenManager {
    const manager = this.#managers.get(tenant) ?? new TokenManager(this.#configure(tenant), this.#options);
    this.#managers.delete(tenant);
    this.#managers.set(tenant, manager);
    const [oldest] = this.#managers.keys();
    if (this.#managers.size > this.#managersMax && oldest !== undefined) this.#managers.delete(oldest);
    return manager;
  }

  /** Lets go of a tenant, for instance because its credentials changed. */
  delete(tenant: string): void {
    this.#managers.delete(tenant);
  }
}
