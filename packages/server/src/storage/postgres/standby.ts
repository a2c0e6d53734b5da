import { setTimeout as sleep } from 'node:timers/promises';
import { sql, type Kysely } from 'kysely';
import type { Tables } from '../schema.ts';
import { StoreError } from '../store-error.ts';

/**
 * How long the oldest commit in this database has waited for a synchronous standby, in milliseconds; 0: no
 * commit waits. It sees only commits of this database user, including those whose process has given up.
 */
export async function standbyWaitMs(read: Kysely<Tables>): Promise<number> {
  const { rows } = await sql<{ waitMs: number }>`
    select coalesce(max(floor(extract(epoch from clock_timestamp() - query_start) * 1000)), 0)::bigint as "waitMs"
    from pg_stat_activity where datname = current_database() and wait_event = 'SyncRep'`.execute(read);
  return rows[0]?.waitMs ?? 0;
}

/** A standby that is alive answers within milliseconds. */
export const STANDBY_HANGS_MS = 3000;
/** Shorter than that, because a writer that waits for a lock may give up earlier. */
const WAITS_MS = 200;
/**
 * Short, because the caller has waited already. If the whole server does not answer, the standby is not the
 * cause.
 */
const ASK_MS_MAX = 1000;
const MEND = 'Mend the standby, or take it out of synchronous_standby_names.';

/**
 * Returns the error of a change that failed because a synchronous standby hangs; null for any other cause.
 * Either the commit waited for the standby, or the change waited for another one that does.
 */
export async function standbyError(read: Kysely<Tables>, error: unknown): Promise<StoreError | null> {
  if (!(error instanceof StoreError && (error.code === 'locked' || error.code === 'unavailable')))
    return null;
  const wait = Promise.race([standbyWaitMs(read), sleep(ASK_MS_MAX, 0, { ref: false })]);
  const waitMs = await wait.catch(() => 0);
  if (waitMs < WAITS_MS) return null;
  const waits = `PostgreSQL waits for a synchronous standby that has not answered for ${Math.round(waitMs / 1000)} s`;
  const outcome =
    error.code === 'locked' ? 'The change was not made.' : 'Whether the change was made is not known.';
  return new StoreError('unavailable', `${waits}. ${outcome} ${MEND}`, { cause: error });
}

export interface SynchronousStandbys {
  /** Standbys that must answer before a commit is acknowledged; 0: commits do not wait. */
  needed: number;
  /** Standbys that can answer. */
  available: number;
}

/**
 * Parses `synchronous_standby_names`
 * (https://www.postgresql.org/docs/current/runtime-config-replication.html). `connected`: standbys of any
 * kind that are connected now.
 */
export function synchronousStandbys(names: string, connected: number): SynchronousStandbys {
  const [, count, list = ''] = /^\s*(?:(?:first|any)\s+)?(\d+)\s*\((.*)\)\s*$/is.exec(names) ?? [
    null,
    '1',
    names,
  ];
  const listed: readonly string[] = list.match(/"(?:[^"]|"")*"|[^\s,]+/g) ?? [];
  if (listed.length === 0) return { needed: 0, available: 0 };
  const available = listed.includes('*') ? connected : Math.min(listed.length, connected);
  return { needed: Number(count), available };
}
