import { setTimeout as sleep } from 'node:timers/promises';
import { sql, type Kysely } from 'kysely';
import type { Tables } from '../schema.ts';
import { StoreError } from '../store-error.ts';

/**
 * For how long the oldest commit in this database has been waiting for a synchronous standby, in milliseconds; 0: none waits.
 * It sees the commits of this user, also those of processes that gave them up.
 */
export async function standbyWaitMs(read: Kysely<Tables>): Promise<number> {
  const { rows } = await sql<{ waitMs: number }>`
    select coalesce(max(floor(extract(epoch from clock_timestamp() - query_start) * 1000)), 0)::bigint as "waitMs"
    from pg_stat_activity where datname = current_database() and wait_event = 'SyncRep'`.execute(read);
  return rows[0]?.waitMs ?? 0;
}

/** A standby that is alive answers within milliseconds. */
export const STANDBY_HANGS_MS = 3000;
/** Less, because a writer that waits for a lock may give up earlier. */
const WAITS_MS = 200;
/** The caller has waited already. If the whole server does not answer, the standby is not the cause. */
const ASK_MS_MAX = 1000;
const MEND = 'Mend the standby, or take it out of synchronous_standby_names.';

/**
 * Why a change failed, if it failed because a synchronous standby hangs: its own commit waited for the standby, or it waited for
 * a change that does.
 */
export async function standbyError(read: Kysely<Tables>, error: unknown): Promise<StoreError | null> {
  if (!(error instanceof StoreError && (error.code === 'locked' || error.code === 'unavailable')))
    return null;
  const asked = Promise.race([standbyWaitMs(read), sleep(ASK_MS_MAX, 0, { ref: false })]);
  const waitMs = await asked.catch(() => 0);
  if (waitMs < WAITS_MS) return null;
  const waits = `PostgreSQL waits for a synchronous standby that has not answered for ${Math.round(waitMs / 1000)} s`;
  const outcome =
    error.code === 'locked' ? 'The change was not made.' : 'Whether the change was made is not known.';
  return new StoreError('unavailable', `${waits}. ${outcome} ${MEND}`, { cause: error });
}

export interface SynchronousStandbys {
  /** How many must answer before a commit is acknowledged; 0: commits wait for none. */
  needed: number;
  /** How many there are to answer. */
  available: number;
}

/**
 * Reads `synchronous_standby_names` (https://www.postgresql.org/docs/current/runtime-config-replication.html).
 * `connected`: standbys of any kind that are connected now.
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
