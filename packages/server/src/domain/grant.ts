import type { Denial } from './denial.ts';

/** The scopes and audiences that an API user may get, prepared once for all its tokens. */
export interface Grantable {
  scopes: readonly string[];
  /** Its first audience is the default. Never empty. */
  audiences: readonly string[];
}

export interface Grant {
  /** Separated by spaces; empty if no scope is granted. */
  scope: string;
  audience: string;
  /**
   * True if the response must name the scope: it is not empty and differs from the requested one (RFC 6749
   * §5.1).
   */
  tellScope: boolean;
}

const SCOPE_TOKEN = /^[\x21\x23-\x5B\x5D-\x7E]+$/; // RFC 6749 §3.3
const SCOPE_LENGTH_MAX = 100;
const RESOURCE_LENGTH_MAX = 500;

/**
 * Grants the requested scope and audience. Without a scope it grants all scopes, without an audience the
 * default one. Denies scopes and audiences that the API user does not have.
 */
export function grant(
  may: Grantable,
  askedScope: string | undefined,
  askedResource: string | undefined,
): Grant | Denial {
  const audience = askedResource ?? may.audiences[0] ?? '';
  if (!may.audiences.includes(audience)) {
    return {
      denied: 'invalid_target',
      description:
        'This API user may not ask for tokens for that resource. Leave out resource to get its default, ' +
        'or ask the operator of the platform for another audience.',
    };
  }
  if (askedScope === undefined) {
    const scope = may.scopes.join(' ');
    return { scope, audience, tellScope: scope !== '' };
  }
  // Most requests name one scope, and a scope holds no space.
  if (may.scopes.includes(askedScope)) return { scope: askedScope, audience, tellScope: false };
  const scopes = new Set(askedScope.split(' ').filter((scope) => scope !== ''));
  if (scopes.size === 0) return scopeDenial(); // nothing but spaces: malformed (RFC 6749 §3.3)
  for (const scope of scopes) {
    if (!may.scopes.includes(scope)) return scopeDenial();
  }
  const scope = Array.from(scopes).join(' ');
  return { scope, audience, tellScope: scope !== askedScope };
}

function scopeDenial(): Denial {
  return {
    denied: 'invalid_scope',
    description:
      'The scope is malformed, or this API user may not have it all. Leave out scope to get all it may have, or ' +
      'ask the operator of the platform for more.',
  };
}

/** Why `scope` is not a scope token (RFC 6749 §3.3); null if it is one. */
export function scopeProblem(scope: string): string | null {
  if (scope.length > SCOPE_LENGTH_MAX) return `a scope is longer than ${SCOPE_LENGTH_MAX} characters`;
  return SCOPE_TOKEN.test(scope)
    ? null
    : `the scope "${scope}" holds white space, a quote, a backslash or a character outside ASCII`;
}

/**
 * Why `resource` is not a resource indicator (RFC 8707 §2: an absolute URI without a fragment); null if it is
 * one.
 */
export function resourceProblem(resource: string): string | null {
  if (resource.length > RESOURCE_LENGTH_MAX) {
    return `an audience is longer than ${RESOURCE_LENGTH_MAX} characters`;
  }
  if (!/^[\x21-\x7E]+$/.test(resource) || !URL.canParse(resource)) {
    return `"${resource}" is not an absolute URI such as https://api.example.com/`;
  }
  return resource.includes('#') ? `"${resource}" has a fragment (RFC 8707 §2)` : null;
}
