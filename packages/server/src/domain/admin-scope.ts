import type { Actor } from './actor.ts';
import { AppError } from './app-error.ts';

/** Scopes for the admin API: the first allows every call, the second only reads. */
export const ADMIN_SCOPE = 'mintmark:admin';
export const READ_SCOPE = 'mintmark:read';

/**
 * Stops an operator from gaining the rights of an admin through an API user with the admin scope: by creating
 * or changing one, or by creating a credential for it. `scopes` are those of the API user. Disabling it,
 * revoking its tokens and retiring its credentials do not call this: in an incident, any operator on duty may
 * do so.
 */
export function refuseBeyondRole(by: Actor, scopes: readonly string[]): void {
  if (by.kind !== 'operator' || by.role === 'admin' || !scopes.includes(ADMIN_SCOPE)) return;
  throw new AppError(
    'forbidden',
    `An API user with the scope ${ADMIN_SCOPE} may do what only admins may: ask one of them.`,
  );
}
