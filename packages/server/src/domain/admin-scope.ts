import type { Actor } from './actor.ts';
import { AppError } from './app-error.ts';

/** Scopes of API users that may call the admin API: everything, or only what reads. */
export const ADMIN_SCOPE = 'mintmark:admin';
export const READ_SCOPE = 'mintmark:read';

/**
 * Who may not do everything must not get there by an API user that may: by making one, or by getting a secret of one.
 * `scopes`: those of the API user. What takes something away from it is not asked here: in an incident anybody on duty may.
 */
export function refuseBeyondRole(by: Actor, scopes: readonly string[]): void {
  if (by.kind !== 'operator' || by.role === 'admin' || !scopes.includes(ADMIN_SCOPE)) return;
  throw new AppError(
    'forbidden',
    `An API user with the scope ${ADMIN_SCOPE} may do what only admins may: ask one of them.`,
  );
}
