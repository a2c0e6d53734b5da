import { emailKey } from '../../domain/operator.ts';
import { passwordProblem } from '../../domain/password.ts';
import { argon2id } from '../../lib/argon2id.ts';
import { AppError } from '../../domain/app-error.ts';
import { isGuessable } from './guessable-password.ts';

/** Hashes a password that an operator chose. Throws an AppError as `refuseWeakPassword` does. */
export async function hashOfChosenPassword(
  password: string,
  email: string,
  member: 'password' | 'new_password' = 'password',
): Promise<string> {
  await refuseWeakPassword(password, email, member);
  return await argon2id(password);
}

/** Throws an AppError with a fault of `member` if the password is too short or too easy to guess. */
export async function refuseWeakPassword(
  password: string,
  email: string,
  member: 'password' | 'new_password' = 'password',
): Promise<void> {
  const problem =
    passwordProblem(password) ??
    emailInPassword(password, email) ??
    ((await isGuessable({ password, words: wordsOf(email) })) ? GUESSABLE : null);
  if (problem !== null) throw new AppError('invalid', problem, { faults: [{ member, problem }] });
}

const GUESSABLE =
  'The password is, or is like, one that guessers try first: choose another, such as four words that have nothing to do ' +
  'with each other, or let a password manager make one.';

function emailInPassword(password: string, email: string): string | null {
  return emailKey(password).includes(emailKey(email))
    ? 'The password holds the e-mail address: choose another.'
    : null;
}

function wordsOf(email: string): string[] {
  return [email, ...email.split(/[^\p{L}\p{N}]+/u), 'mintmark'].filter((word) => word.length > 2);
}
