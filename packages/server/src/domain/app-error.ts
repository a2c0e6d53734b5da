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
 * The cause of an error, for programs. HTTP and the command line map it in one table each
 * (http/admin/problem.ts, commands/exit-code.ts).
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
  /** The caller made the same change before, under the same key. `created` lists what it created. */
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
  /** A check found a fault; the program itself works. */
  | 'check_failed';

export interface AppErrorDetails {
  /** Every fault of the input, with its member. */
  faults?: readonly Fault[];
  /** With the code `unsafe`. */
  inUse?: InUse;
  /** With the code `replayed`. Never a secret. */
  created?: readonly AuditSubject[];
  /** Replaces the full stop of the message on a command line, and says what to do there. */
  hint?: string;
  cause?: unknown;
}

/**
 * The control plane refuses a request or fails. Throwing the error rolls the transaction back. The message
 * says what to do, and holds no secret.
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
