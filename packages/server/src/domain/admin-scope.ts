import type { Actor } from './actor.ts';
import { AppError } from './app-error.ts';

/** Scopes for the admin API: the first allows every call, the second only reads. */
export const ADMIN_SCOPE = 'mintmark:admin';
export const READ_SCOPE = 'mintmark:read';

/**
 * Stops an operator from gaining the rights of an admin through an API user: by creating one with the admin
 * scope, or by creating a secret for one. `scopes` are those of the API user. Changes that take something
 * away do not call this: in an incident, any operator on duty may make them.
 */
export function refuseBeyondRole(by: Actor, scopes: readonly string[]): void {
  if (by.kind !== 'operator' || by.role === 'admin' || !scopes.includes(ADMIN_SCOPE)) return;
  throw new AppError(
    'forbidden',
    `An API user with the scope ${ADMIN_SCOPE} may do what only admins may: ask one of them.`,
  );
}
