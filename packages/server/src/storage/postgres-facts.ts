import { sql, type Kysely } from 'kysely';
import { isOnThisMachine, tlsModeFor, type PostgresTarget } from './postgres-target.ts';
import type { Tables } from './schema.ts';
import type { DatabaseFacts } from './store.ts';

interface Row {
  version: string;
  fsync: string;
  full_page_writes: string;
  synchronous_commit: string;
  tls: boolean;
}

/** What an operator should know of a server, and should change. */
export async function factsOf(read: Kysely<Tables>, target: PostgresTarget): Promise<DatabaseFacts> {
  const { rows } = await sql<Row>`
    select split_part(current_setting('server_version'), ' ', 1) as version, current_setting('fsync') as fsync,
      current_setting('full_page_writes') as full_page_writes,
      current_setting('synchronous_commit') as synchronous_commit,
      coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false) as tls`.execute(read);
  const [row] = rows;
  if (row === undefined) throw new Error('PostgreSQL says nothing of itself');
  return {
    about: `PostgreSQL ${row.version}${row.tls ? ', TLS' : ''}`,
    risks: [...unsafeSettings(row), ...unverified(target)],
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
      detail: 'the certificate of PostgreSQL is not looked at: anybody on the way can be the server',
      mend: 'sslmode=verify-full in DATABASE_URL, and name the authority with sslrootcert',
    });
  }
  return risks;
}
