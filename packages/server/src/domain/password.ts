import { HASH_BYTES, hasOwnCost, PHC_PREFIX, phcOf, SALT_BYTES } from '../lib/argon2id.ts';
import { SECRET_PREFIX } from './secret.ts';

export const PASSWORD_LENGTH_MIN = 12;
export const PASSWORD_LENGTH_MAX = 128;

/** Why a password may not be used; null if it may. The text never quotes the password. */
export function passwordProblem(password: string): string | null {
  if (password.startsWith(SECRET_PREFIX)) {
    return `A password may not begin with ${SECRET_PREFIX}, which generated secrets do: choose another.`;
  }
  if (password.length < PASSWORD_LENGTH_MIN || password.length > PASSWORD_LENGTH_MAX) {
    return `A password has ${PASSWORD_LENGTH_MIN} to ${PASSWORD_LENGTH_MAX} characters; this one has ${password.length}.`;
  }
  return new Set(password).size < 5
    ? 'The password repeats the same few characters: choose one that is harder to guess.'
    : null;
}

/**
 * Why an imported password hash is refused; null if it is accepted. With another cost than ours, a check
 * would be slower or faster than one for an unknown client id, and the two must take equally long.
 */
export function passwordHashProblem(phc: string): string | null {
  return hasOwnCost(phc)
    ? null
    : `The digest of a password is ${PHC_PREFIX}, a salt of ${SALT_BYTES} bytes and a hash of ${HASH_BYTES}.`;
}

/**
 * A hash that no password has, with the cost of a real one. Passwords for an unknown client id are checked
 * against it.
 */
export const NO_PASSWORD: string = phcOf(Buffer.alloc(SALT_BYTES), Buffer.alloc(HASH_BYTES));
