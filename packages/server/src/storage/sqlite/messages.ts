// Messages between the main thread and the thread of a SQLite store (worker.ts).

export type SqliteParameter = null | number | bigint | string | Uint8Array;

export interface WorkerSettings {
  path: string;
  busyTimeoutMs: number;
  /** Interval of checks for commits of other processes, in milliseconds; 0: no checks. */
  wakePollMs: number;
  /** Marks a database as ours (pragma application_id). */
  applicationId: number;
}

export interface WorkerData extends WorkerSettings {
  /** How long the thread waits for a lock before it reports the lock, in milliseconds. */
  lockWaitMs: number;
}

/** Rows as arrays: the names of the columns move between threads once, and not with each row. */
export interface Rows {
  columns: readonly string[];
  rows: readonly (readonly SqliteParameter[])[];
}

export type ToWorker =
  | { id: number; on: 'read' | 'write'; sql: string; parameters: SqliteParameter[] }
  | 'close';

export type FromWorker =
  | 'open'
  | 'wake'
  | ({ id: number; changes: number } & Rows)
  | { id: number; error: { message: string; errcode: number | undefined } };
