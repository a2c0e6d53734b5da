/**
 * A token's scopes as an immutable set: `Object.freeze` does not stop `Set.prototype.add`. It is set-like, so
 * `new Set(wanted).isSubsetOf(scopes)` works in runtimes that have it.
 */
export interface Scopes extends Iterable<string> {
  readonly size: number;
  has(scope: string): boolean;
  keys(): IterableIterator<string>;
  /** Space-separated, as in the token. */
  toString(): string;
  toJSON(): string[];
}

class FrozenScopes implements Scopes {
  readonly #scopes: Set<string>;

  constructor(text: string) {
    this.#scopes = new Set(text.split(' ').filter((scope) => scope !== ''));
    Object.freeze(this);
  }

  get size(): number {
    return this.#scopes.size;
  }

  has(scope: string): boolean {
    return this.#scopes.has(scope);
  }

  keys(): IterableIterator<string> {
    return this.#scopes.keys();
  }

  [Symbol.iterator](): IterableIterator<string> {
    return this.#scopes.keys();
  }

  toString(): string {
    return [...this.#scopes].join(' ');
  }

  toJSON(): string[] {
    return [...this.#scopes];
  }

  [Symbol.for('nodejs.util.inspect.custom')](): Set<string> {
    return new Set(this.#scopes);
  }
}

Object.freeze(FrozenScopes.prototype);

/** Tokens with equal scopes, which most have, share one immutable set. */
let sharedScopes = new Map<string, Scopes>();
const SHARED_MAX = 500;
const SHARED_LENGTH_MAX = 500;

export function scopesOf(text: string): Scopes {
  const shared = sharedScopes.get(text);
  if (shared !== undefined) return shared;
  const scopes = new FrozenScopes(text);
  if (sharedScopes.size >= SHARED_MAX) sharedScopes = new Map();
  if (text.length <= SHARED_LENGTH_MAX) sharedScopes.set(text, scopes);
  return scopes;
}

// RFC 6749 §3.3: scope-token. Without quotes and backslashes, it needs no escaping in a header.
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/** A route's scopes in the option `name`. Throws a TypeError for an invalid scope. */
export function requiredScopes(
  scope: string | readonly string[] | undefined,
  name = 'scope',
): readonly string[] {
  const wanted = (typeof scope === 'string' ? scope.split(' ') : (scope ?? [])).filter((one) => one !== '');
  const bad = wanted.find((one) => !SCOPE_TOKEN.test(one));
  if (bad !== undefined) {
    throw new TypeError(
      `${name}: ${JSON.stringify(bad)} cannot be a scope (RFC 6749 §3.3): use visible ASCII without quotes, one each.`,
    );
  }
  if (scope !== undefined && wanted.length === 0) {
    throw new TypeError(`${name}: no scope is named. Leave the option out where any valid token is enough.`);
  }
  return wanted;
}
