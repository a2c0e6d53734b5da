// Many API users with a secret each, copied directly into the tables of a migrated PostgreSQL store. Indexes
// are dropped first and recreated from the catalog.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { secretDigest } from '../packages/server/src/domain/secret.ts';
import { postgresProgram } from '@mintmark/test-support/postgres-binaries';
import type { TestPostgres } from '@mintmark/test-support/postgres';
import { clientIdAt, secretAt } from './population.ts';

const LINES_AT_A_TIME = 2000;
const CREATED_FROM = 1_700_000_000_000;
/** Share of API users, from the first, that may have tokens, unless another one is named. */
export const ENABLED = 0.9;

export const nameAt = (i: number): string =>
  `${WORDS[i % 13] ?? ''} ${WORDS[(i >> 4) % 13] ?? ''} of customer ${i}`;
export const usernameAt = (i: number): string => `user${i}@customer.example`;
const WORDS =
  'importer newsletter billing crm sync warehouse shop analytics mailer segment export contacts loyalty'.split(
    ' ',
  );

/**
 * The last ones are disabled, every second has a username, every third was never used. The first one
 * administers, too.
 */
function apiUserLine(i: number, enabledCount: number): string {
  const id = clientIdAt(i);
  const name = nameAt(i);
  const username = i % 2 === 0 ? usernameAt(i) : null;
  const contact = `team-${i % 500}@customer.example`;
  const search = [name, id, username, contact]
    .filter((text) => text !== null)
    .join('\\n')
    .toLowerCase();
  const createdAt = CREATED_FROM + i * 1000;
  const lastUsedAt = i % 3 === 0 ? null : CREATED_FROM + Math.floor((i * 7919) % 20_000_000) * 60_000;
  const scopes = i === 0 ? '["campaigns:read","mintmark:admin"]' : '["campaigns:read"]';
  const enabled = i < enabledCount ? 1 : 0;
  const values = [
    id,
    name,
    username,
    username,
    contact,
    enabled,
    scopes,
    '[]',
    '[]',
    createdAt,
    createdAt,
    lastUsedAt,
    name,
    search,
  ];
  return `${values.map((value) => value ?? '\\N').join('\t')}\n`;
}

const COLUMNS =
  'client_id, name, username, username_key, contact, enabled, scopes, audiences, allowed_networks, created_at, updated_at, last_used_at, name_key, search_text';

function credentialLine(i: number): string {
  const secret = secretAt(i);
  return `${secret.slice(4, 14)}\t${clientIdAt(i)}\tsecret\tbench\t${secretDigest(secret)}\t${CREATED_FROM}\n`;
}

interface Copy {
  input: Writable;
  end(): Promise<void>;
}

function copyInto(url: string, table: string): Copy {
  const psql = spawn(
    postgresProgram('psql'),
    [url, '--no-psqlrc', '--quiet', '-c', `copy ${table} from stdin`],
    {
      stdio: ['pipe', 'inherit', 'inherit'],
    },
  );
  const exited = once(psql, 'exit');
  return {
    input: psql.stdin,
    async end() {
      psql.stdin.end();
      const [code] = (await exited) as [number | null];
      if (code !== 0) throw new Error(`copy into ${table} ended with ${code}`);
    },
  };
}

/** Seconds for the rows and for indexes and statistics. */
export async function fillPostgres(
  server: TestPostgres,
  database: string,
  count: number,
  enabled: number = ENABLED,
): Promise<{ copySeconds: number; indexSeconds: number }> {
  const startedAt = performance.now();
  const again = await withoutIndexes(server, database);
  const users = copyInto(server.url(database), `api_users (${COLUMNS})`);
  const credentials = copyInto(
    server.url(database),
    'credentials (id, client_id, kind, name, digest, created_at)',
  );
  for (let from = 0; from < count; from += LINES_AT_A_TIME) {
    const indices = Array.from({ length: Math.min(LINES_AT_A_TIME, count - from) }, (_, i) => from + i);
    for (const [{ input }, line] of [
      [users, apiUserLine],
      [credentials, credentialLine],
    ] as const) {
      if (!input.write(indices.map((i) => line(i, count * enabled)).join(''))) await once(input, 'drain');
    }
  }
  await Promise.all([users.end(), credentials.end()]);
  const copiedAt = performance.now();
  for (const statement of again) await server.sql(statement, database);
  await server.sql(
    `insert into credential_usage select c.id, u.last_used_at, '192.0.2.1', 5
     from credentials as c join api_users as u using (client_id) where u.last_used_at is not null`,
    database,
  );
  await server.sql('vacuum analyze', database);
  return { copySeconds: (copiedAt - startedAt) / 1000, indexSeconds: (performance.now() - copiedAt) / 1000 };
}

/** Drops indexes and constraints of the two tables, and those that refer to them. Returns the statements that recreate them, in order. */
async function withoutIndexes(server: TestPostgres, database: string): Promise<string[]> {
  const constraints = await server.sql<{ tab: string; name: string; definition: string }>(
    `select conrelid::regclass::text as tab, conname as name, pg_get_constraintdef(oid) as definition from pg_constraint
     where conrelid in ('api_users'::regclass, 'credentials'::regclass) and contype in ('p', 'u', 'f')
       or confrelid in ('api_users'::regclass, 'credentials'::regclass)
     order by contype = 'f', contype = 'u'`,
    database,
  );
  const indexes = await server.sql<{ name: string; definition: string }>(
    `select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition from pg_index
     where indrelid in ('api_users'::regclass, 'credentials'::regclass)
       and indexrelid not in (select conindid from pg_constraint where conindid <> 0)`,
    database,
  );
  for (const { name } of indexes) await server.sql(`drop index ${name}`, database);
  for (const { tab, name } of constraints.toReversed()) {
    await server.sql(`alter table ${tab} drop constraint ${name}`, database);
  }
  return [
    ...constraints.map(
      ({ tab, name, definition }) => `alter table ${tab} add constraint ${name} ${definition}`,
    ),
    ...indexes.map(({ definition }) => definition),
  ];
}
