import type { AccessToken } from './access-token.ts';
import { requiredScopes } from './scopes.ts';

/** What a route asks of a token beyond being valid. Without any member each valid token is enough. */
export interface Requirements {
  /** Scopes that the token must have, all of them: a list, or a text with spaces between them. */
  scope?: string | readonly string[] | undefined;
  /** Scopes of which the token must have at least one. */
  anyScope?: string | readonly string[] | undefined;
  /** Whether the route is for the holder of this token, by its claims. Anything but `true` is a 403. */
  check?: ((token: AccessToken) => boolean | Promise<boolean>) | undefined;
}

const NAMES: readonly string[] = ['scope', 'anyScope', 'check'] satisfies (keyof Requirements)[];

/** Requirements that were read once, when the route was made. */
export class CheckedRequirements {
  readonly allOf: readonly string[];
  readonly anyOf: readonly string[];
  readonly check: Requirements['check'];

  /** Throws a TypeError for a requirement that no token could meet, or that is misspelt and would let everybody in. */
  constructor(requirements: Requirements) {
    for (const name of Object.keys(requirements)) {
      if (!NAMES.includes(name)) throw new TypeError(`${name} is not one of ${NAMES.join(', ')}.`);
    }
    const { scope, anyScope, check } = requirements;
    this.allOf = requiredScopes(scope);
    this.anyOf = requiredScopes(anyScope, 'anyScope');
    this.check = check;
    if (check !== undefined && typeof check !== 'function')
      throw new TypeError('check: it is not a function.');
  }

  /** The scopes that a token needs and does not have, in words; undefined: it has what it needs. */
  lacking({ scopes }: AccessToken): string | undefined {
    const missing = this.allOf.filter((scope) => !scopes.has(scope));
    if (missing.length > 0) return `the scope ${missing.join(' ')}`;
    const isMet = this.anyOf.length === 0 || this.anyOf.some((scope) => scopes.has(scope));
    return isMet ? undefined : `each of the scopes ${this.anyOf.join(' ')}`;
  }

  /** For the `scope` of the challenge (RFC 6750 §3): a token with all of these would do. */
  toString(): string {
    return [...new Set([...this.allOf, ...this.anyOf])].join(' ');
  }
}

/** Reads requirements, unless that was done before. */
export function checkedRequirements(given: Requirements | CheckedRequirements): CheckedRequirements {
  return given instanceof CheckedRequirements ? given : new CheckedRequirements(given);
}
