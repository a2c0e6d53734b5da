import type { AuditSubject } from './audit-entry.ts';
import type { Fault } from './fault.ts';
import type { Credential } from './credential.ts';

/** The callers that a refused change would have cut off. */
export interface InUse {
  /** The live credentials that were used in the last hour. */
  credentials: readonly Credential[];
  tokensLastHour: number;
  tokensLastDay: number;
}

/**
 * What went wrong, as a word to program against. HTTP and the command line map each in one table (http/admin/problem.ts,
 * commands/exit-code.ts).
 */
export type AppErrorCode =
  | 'invalid'
  | 'not_signed_in'
  | 'wrong_credentials'
  | 'second_factor_required'
  /** The caller may not do this. */
  | 'forbidden'
  | 'cross_site'
  | 'not_found'
  | 'method_not_allowed'
  | 'conflict'
  /** The same change was made before, under the same key: `created` says what it made. */
  | 'replayed'
  /** A live caller could break: `inUse` says which. */
  | 'unsafe'
  /** The change was made from an older version than the current one. */
  | 'stale'
  | 'too_large'
  | 'unsupported_media_type'
  | 'precondition_required'
  | 'too_many'
  | 'server_error'
  | 'unavailable'
  /** A setting of this process has a value that is not allowed. */
  | 'bad_setting'
  /** A check found a fault, and the program works. */
  | 'check_failed';

export interface AppErrorDetails {
  /** All that is wrong with the input, each with its member. */
  faults?: readonly Fault[];
  /** With the code `unsafe`. */
  inUse?: InUse;
  /** With the code `replayed`. Never a secret. */
  created?: readonly AuditSubject[];
  /** How the message ends on a command line, in place of its full stop: what to do there. */
  hint?: string;
  cause?: unknown;
}

/**
 * The control plane does not do what it was asked. Thrown, so that the transaction is rolled back; the message says what
 * to do, without any secret.
 */
export class AppError extends Error {
  override readonly name: string = 'AppError';
  readonly code: AppErrorCode;
  readonly faults: readonly Fault[];
  readonly inUse: InUse | null;
  readonly created: readonly AuditSubject[];
  readonly hint: string;

  constructor(code: AppErrorCode, message: string, details: AppErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.code = code;
    this.faults = details.faults ?? [];
    this.inUse = details.inUse ?? null;
    this.created = details.created ?? [];
    this.hint = details.hint ?? '.';
  }
}

/** Does `work`, whose faults are those of the member `member` of something larger. */
export async function faultsBelow<T>(member: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AppError) || error.faults.length === 0) throw error;
    const faults = error.faults.map((fault) => ({ ...fault, member: `${member}/${fault.member}` }));
    throw new AppError(error.code, error.message, { faults, hint: error.hint });
  }
}
