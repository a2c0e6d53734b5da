import { eventually } from './eventually.ts';
import { PASSWORD, startPostgres, startStandby, type TestPostgres } from './postgres.ts';

/** A primary with a synchronous standby, and a database for nodes. */
export interface SynchronousPair extends AsyncDisposable {
  primary: TestPostgres;
  standby: TestPostgres & { promote(): Promise<void> };
  /** URL with both servers. */
  url: string;
}

const STANDBY = 'standby1';

/** The URL of a database with all servers. */
export function urlOfAll(servers: readonly TestPostgres[], database: string): string {
  const hosts = servers.map(({ port }) => `127.0.0.1:${port}`).join(',');
  return `postgres://mintmark:${encodeURIComponent(PASSWORD)}@${hosts}/${database}`;
}

export async function startSynchronousPair(): Promise<SynchronousPair> {
  const primary = await startPostgres({ settings: { synchronous_standby_names: STANDBY } });
  // Without a standby no commit would be acknowledged.
  await primary.sql('alter system set synchronous_commit = local');
  await primary.sql('select pg_reload_conf()');
  const database = await primary.newDatabase();
  const standby = await startStandby(primary, STANDBY);
  await primary.sql('alter system reset synchronous_commit');
  await primary.sql('select pg_reload_conf()');
  await eventually(
    async () => {
      const [row] = await primary.sql<{ sync_state: string }>('select sync_state from pg_stat_replication');
      return row?.sync_state === 'sync';
    },
    10_000,
    'the standby is synchronous',
  );
  return {
    primary,
    standby,
    url: urlOfAll([primary, standby], database),
    async [Symbol.asyncDispose]() {
      await standby[Symbol.asyncDispose]();
      await primary[Symbol.asyncDispose]();
    },
  };
}
