import type { Actor } from './actor.ts';
import { AppError } from './app-error.ts';

/** Scopes for the admin API: the first allows every call, the second only reads. */
export const ADMIN_SCOPE = 'mintmark:admin';
export const READ_SCOPE = 'mintmark:read';

/** Whether a scope is for Mintmark's own API. No API user of an organisation may have one. */
export function isAdminApiScope(scope: string): boolean {
  return scope.startsWith('mintmark:');
}

/**
 * Prevents a privilege escalation: only an admin may create, change or delete an API user with the admin
 * scope, or create a credential for it. `scopes` are those of the API user. Disabling it, revoking its tokens
 * and retiring its credentials are open to any operator, for incidents.
 */
export function refuseBeyondRole(by: Actor, scopes: readonly string[]): void {
  if (by.kind !== 'operator' || by.role === 'admin' || !scopes.includes(ADMIN_SCOPE)) return;
  throw new AppError(
    'forbidden',
    `An API user with the scope ${ADMIN_SCOPE} may do what only admins may: ask one of them.`,
  );
}
