import { sql, type Kysely, type RawBuilder } from 'kysely';
import type { DatabaseClock } from '../tables/clock.ts';
import type { Tables } from '../schema.ts';

/** Not `now()`, which returns the start of the transaction. */
const TIME: RawBuilder<number> = sql`floor(extract(epoch from clock_timestamp()) * 1000)::bigint`;
/** Most offsets that one query reads: more than there are processes. */
const RECORDED_MAX = 1000;

export function postgresClock(read: Kysely<Tables>, write: Kysely<Tables>): DatabaseClock {
  return {
    time: TIME,
    async record({ process, offsetMs }) {
      // Commit asynchronously: a commit that waits for a hanging standby occupies its connection, and this
      // statement runs every few seconds.
      await sql`
        insert into process_clocks (process, offset_ms, seen_at)
        select ${process}::text, ${offsetMs}::bigint, ${TIME}
        from set_config('synchronous_commit', 'off', true) as synchronous where synchronous = 'off'
        on conflict (process) do update set offset_ms = excluded.offset_ms, seen_at = excluded.seen_at`.execute(
        write,
      );
    },
    async recorded(withinMs) {
      return await read
        .selectFrom('process_clocks')
        .select(['process', 'offset_ms as offsetMs'])
        .where('seen_at', '>', sql<number>`${TIME} - ${withinMs}::bigint`)
        // Skip offsets from before this clock was set back.
        .where('seen_at', '<=', TIME)
        .orderBy('process')
        .limit(RECORDED_MAX)
        .execute();
    },
    async deleteBefore(at) {
      await write.deleteFrom('process_clocks').where('seen_at', '<', at).execute();
    },
  };
}
