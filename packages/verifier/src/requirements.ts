import type { AccessToken, AnyClaims } from './access-token.ts';
import { requiredScopes } from './scopes.ts';

/** A route's requirements beyond a valid token. Without any member, each valid token is enough. */
export interface Requirements<Claims = AnyClaims> {
  /** Scopes that the token must all have: a list, or a space-separated text. */
  scope?: string | readonly string[] | undefined;
  /** The token must have at least one of these scopes. */
  anyScope?: string | readonly string[] | undefined;
  /** Decides by the token's claims whether it may call the route. Anything but `true` is a 403. */
  check?: ((token: AccessToken<Claims>) => boolean | Promise<boolean>) | undefined;
}

const NAMES: readonly string[] = ['scope', 'anyScope', 'check'] satisfies (keyof Requirements)[];

/** Requirements, checked once when the route is created. */
export class CheckedRequirements<Claims = AnyClaims> {
  readonly allOf: readonly string[];
  readonly anyOf: readonly string[];
  readonly check: Requirements<Claims>['check'];

  /** Throws a TypeError if no token can meet a requirement, or if a misspelt one would admit everyone. */
  constructor(requirements: Requirements<Claims>) {
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

  /** Describes the scopes that the token lacks; undefined if it lacks none. */
  lacking({ scopes }: AccessToken<Claims>): string | undefined {
    const missing = this.allOf.filter((scope) => !scopes.has(scope));
    if (missing.length > 0) return `the scope ${missing.join(' ')}`;
    const isMet = this.anyOf.length === 0 || this.anyOf.some((scope) => scopes.has(scope));
    return isMet ? undefined : `each of the scopes ${this.anyOf.join(' ')}`;
  }

  /** The `scope` of the challenge (RFC 6750 §3): a token with all of these passes. */
  toString(): string {
    return [...new Set([...this.allOf, ...this.anyOf])].join(' ');
  }
}

/** Checks requirements, unless they already are. */
export function checkedRequirements<Claims>(
  input: Requirements<Claims> | CheckedRequirements<Claims>,
): CheckedRequirements<Claims> {
  return input instanceof CheckedRequirements ? input : new CheckedRequirements(input);
}
