import { CommanderError } from 'commander';
import { AppError, type AppErrorCode } from '../domain/app-error.ts';
import { StoreError } from '../storage/store-error.ts';

export const EXIT = {
  success: 0,
  /** An unexpected error: a bug. */
  bug: 1,
  /** Wrong usage, or an invalid setting. */
  usage: 2,
  /** Mintmark changed nothing: not found, a conflict, or a value that is not allowed. */
  refused: 3,
  /** Refused because the change might break a caller: `--force` overrides this. */
  unsafe: 4,
  /** The store cannot be used. */
  store: 5,
  /** A check failed: doctor, secret check, trust check, token, audit verify, check-client. */
  checkFailed: 6,
} as const;

export const EXIT_CODES_HELP = `
Exit codes:
  0  done
  1  an error that should not happen
  2  wrong usage, or a wrong setting
  3  refused, nothing was changed: not found, a conflict, a value that is not allowed
  4  refused because a live caller might break: --force does it anyway
  5  the store cannot be used
  6  a check failed (doctor, secret check, trust check, token, audit verify, check-client)`;

/** Every other code maps to `refused`. */
const EXIT_OF: Partial<Record<AppErrorCode, number>> = {
  unsafe: EXIT.unsafe,
  bad_setting: EXIT.usage,
  check_failed: EXIT.checkFailed,
};

/** The exit code for an error, and the message to print. */
export function exitOf(error: unknown): { code: number; message: string } {
  if (error instanceof CommanderError)
    return { code: error.exitCode === 0 ? EXIT.success : EXIT.usage, message: '' };
  if (error instanceof AppError) {
    const message = error.message.replace(/\.$/, error.hint);
    return { code: EXIT_OF[error.code] ?? EXIT.refused, message };
  }
  if (error instanceof StoreError) return { code: EXIT.store, message: error.message };
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return {
    code: EXIT.bug,
    message: `An error that should not happen. Please report it with these lines:\n${stack}`,
  };
}
