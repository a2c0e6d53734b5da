import { sql, type Kysely } from 'kysely';
import { STANDBY_HANGS_MS, standbyWaitMs, synchronousStandbys } from './standby.ts';
import { isOnThisMachine, tlsModeFor, type PostgresTarget } from './target.ts';
import type { Tables } from '../schema.ts';
import type { DatabaseFacts } from '../connections.ts';

interface Row {
  version: string;
  fsync: string;
  full_page_writes: string;
  synchronous_commit: string;
  tls: boolean;
  standby_names: string;
  connected: number;
}

/** Returns the version of a server, and the risks that an operator should remove. */
export async function factsOf(read: Kysely<Tables>, target: PostgresTarget): Promise<DatabaseFacts> {
  const { rows } = await sql<Row>`
    select split_part(current_setting('server_version'), ' ', 1) as version, current_setting('fsync') as fsync,
      current_setting('full_page_writes') as full_page_writes,
      current_setting('synchronous_commit') as synchronous_commit,
      current_setting('synchronous_standby_names') as standby_names,
      (select count(*) from pg_stat_replication)::int as connected,
      coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false) as tls`.execute(read);
  const [row] = rows;
  const waitMs = await standbyWaitMs(read);
  if (row === undefined) throw new Error('PostgreSQL says nothing of itself');
  return {
    about: `PostgreSQL ${row.version}${row.tls ? ', TLS' : ''}`,
    risks: [...unsafeSettings(row), ...singleStandby(row), ...hangingStandby(waitMs), ...unverified(target)],
  };
}

function unsafeSettings(row: Row): DatabaseFacts['risks'] {
  const named = ['fsync', 'full_page_writes', 'synchronous_commit'] as const;
  return named
    .filter((name) => row[name] === 'off')
    .map((name) => ({
      detail: `PostgreSQL runs with ${name} = off: what was written can be lost, a revocation too`,
      mend: `alter system set ${name} = on; select pg_reload_conf()`,
    }));
}

/** Values of `synchronous_commit` with which no commit waits for a standby. */
const WAITS_FOR_NONE = new Set(['off', 'local']);

function singleStandby(row: Row): DatabaseFacts['risks'] {
  const { needed, available } = synchronousStandbys(row.standby_names, row.connected);
  if (needed === 0 || available > needed || WAITS_FOR_NONE.has(row.synchronous_commit)) return [];
  return [
    {
      detail: `every change waits for ${needed} synchronous standby${needed === 1 ? '' : 's'}, and ${available} can answer: when one hangs, no change is made`,
      mend: "add a standby, and name both: synchronous_standby_names = 'ANY 1 (standby1, standby2)'",
    },
  ];
}

function hangingStandby(waitMs: number): DatabaseFacts['risks'] {
  if (waitMs < STANDBY_HANGS_MS) return [];
  return [
    {
      detail: `a change has been waiting for a synchronous standby for ${Math.round(waitMs / 1000)} s: it hangs`,
      mend: 'mend the standby, or take it out of synchronous_standby_names',
    },
  ];
}

function unverified(target: PostgresTarget): DatabaseFacts['risks'] {
  const away = target.servers.filter((server) => !isOnThisMachine(server));
  const modes = new Set(away.map((server) => tlsModeFor(target, server)));
  const risks = [];
  if (modes.has('disable')) {
    risks.push({
      detail: 'passwords and secrets go to PostgreSQL on another machine without TLS',
      mend: 'take sslmode=disable out of DATABASE_URL, and name the authority with sslrootcert',
    });
  }
  if (modes.has('require') && target.tls.rootCertificateFile === null) {
    risks.push({
      detail: 'the certificate of PostgreSQL is not checked: anyone on the network can pose as the server',
      mend: 'sslmode=verify-full in DATABASE_URL, and name the authority with sslrootcert',
    });
  }
  return risks;
}
