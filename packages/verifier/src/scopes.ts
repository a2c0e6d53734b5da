/**
 * The scopes of a token as a set that cannot be changed: `Object.freeze` does not stop `Set.prototype.add`. It is
 * set-like, so that `new Set(wanted).isSubsetOf(scopes)` works where the runtime has it.
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

/** Sets that are shared by the tokens with the same scopes, which most have: they cannot be changed. */
let known = new Map<string, Scopes>();
const KNOWN_MAX = 500;
const KNOWN_LENGTH_MAX = 500;

export function scopesOf(text: string): Scopes {
  const shared = known.get(text);
  if (shared !== undefined) return shared;
  const scopes = new FrozenScopes(text);
  if (known.size >= KNOWN_MAX) known = new Map();
  if (text.length <= KNOWN_LENGTH_MAX) known.set(text, scopes);
  return scopes;
}

// RFC 6749 §3.3: scope-token. Neither quotes nor backslashes, so that it can stand in a header as it is.
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/** The scopes that the option `name` of a route asks for. Throws a TypeError where one could not be the scope of a token. */
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
