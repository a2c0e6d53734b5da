/**
 * The fault of a store, as a code for programs. The message explains it in a sentence and says what to do.
 */
export type StoreErrorCode =
  | 'missing'
  | 'not_ours'
  | 'newer'
  | 'not_migrated'
  | 'unfinished'
  | 'read_only'
  | 'full'
  | 'locked'
  | 'corrupt'
  | 'cannot_open'
  | 'conflict'
  | 'unavailable';

/** The store cannot do what its caller requested. Every other error that leaves `storage/` is a bug. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * What an error means for the caller: another change conflicts with this one, or the store does not work.
 * Null: not an error of the store.
 */
export function storeFault(error: unknown): 'conflict' | 'unavailable' | null {
  if (!(error instanceof StoreError)) return null;
  return error.code === 'conflict' ? 'conflict' : 'unavailable';
}

const CONSTRAINT = 19;

/** SQLite's primary result codes (https://sqlite.org/rescode.html) as our codes. */
const CODES: Record<number, [StoreErrorCode, (path: string) => string]> = {
  3: ['cannot_open', (path) => `The store ${path} may not be opened by this user: check its owner and mode.`],
  5: [
    'locked',
    (path) => `The store ${path} is locked by another process: wait for it to finish, or stop it.`,
  ],
  6: [
    'locked',
    (path) => `The store ${path} is locked by another process: wait for it to finish, or stop it.`,
  ],
  8: [
    'read_only',
    (path) => `The store ${path} cannot be written: give this user write access to it and its folder.`,
  ],
  10: [
    'unavailable',
    (path) => `The disk under ${path} answered with an error: check the disk and its free space.`,
  ],
  11: ['corrupt', (path) => `The store ${path} is damaged: stop the server and restore the last backup.`],
  13: [
    'full',
    (path) => `The disk under ${path} is full: free some space and try again. Nothing was changed.`,
  ],
  14: [
    'cannot_open',
    (path) => `The store ${path} cannot be opened: check that its folder exists and may be entered.`,
  ],
  15: [
    'locked',
    (path) => `The store ${path} is locked by another process: wait for it to finish, or stop it.`,
  ],
  23: [
    'cannot_open',
    (path) => `The store ${path} may not be opened by this user: check its owner and mode.`,
  ],
  26: ['not_ours', (path) => `The file ${path} is not a Mintmark store: name another with --database-url.`],
};

/**
 * Turns an error of node:sqlite (result code in `errcode`) into a StoreError. Any other error keeps its
 * message.
 */
export function sqliteError(message: string, errcode: number | undefined, path: string): Error {
  const primary = errcode === undefined ? undefined : errcode & 0xff;
  if (primary === CONSTRAINT) return new StoreError('conflict', message);
  const entry = primary === undefined ? undefined : CODES[primary];
  if (entry === undefined) return new Error(message);
  return new StoreError(entry[0], entry[1](path), { cause: new Error(message) });
}
