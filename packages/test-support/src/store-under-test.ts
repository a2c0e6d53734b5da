// Which database the tests are on: a SQLite file in each data folder, or (npm test -- --store=postgres) a database on one
// server that the whole run has, named after the data folder.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import pg from 'pg';
import { postgresProgram } from './postgres-binaries.ts';

/** URL of that server, whose database `migrated` is a store with nothing in it. */
const server = process.env['MINTMARK_TEST_POSTGRES'];

/** URL of a Redis (npm test -- --limits=redis) in which limits are counted; else each process has its own. */
const redis = process.env['MINTMARK_TEST_REDIS'];

export const onPostgres: boolean = server !== undefined;

/** A reason to skip a test of what only SQLite has: a file. */
export const SQLITE_ONLY: string | false = onPostgres && 'a test of the SQLite file';

const made = new Set<string>();

/** The settings with the database that goes with their data folder, which is made where there is none, and with Redis. */
export async function withDatabase(env: Record<string, string>): Promise<Record<string, string>> {
  const dataDir = env['MINTMARK_DATA_DIR'];
  if (dataDir === undefined) return env;
  const name = nameOf(dataDir);
  const limited = withRedis(env, name);
  if (!onPostgres || env['DATABASE_URL'] !== undefined) return limited;
  if (!made.has(name)) await make(name);
  made.add(name);
  return { ...limited, DATABASE_URL: databaseUrlOf(dataDir) };
}

/** On the one Redis of the run, apart from all others. */
function withRedis(env: Record<string, string>, name: string): Record<string, string> {
  if (redis === undefined || env['REDIS_URL'] !== undefined) return env;
  return { REDIS_URL: redis, MINTMARK_REDIS_PREFIX: name, MINTMARK_LIMITS_DEADLINE: '1000', ...env };
}

/** Where the store of a data folder is. */
export function databaseUrlOf(dataDir: string): string {
  if (server === undefined) return `sqlite:${join(dataDir, 'mintmark.db')}`;
  return server.replace(/\/[^/]*$/, `/${nameOf(dataDir)}`);
}

/** Ends what still uses it, and removes it. */
export async function dropDatabase(dataDir: string): Promise<void> {
  if (!onPostgres) return;
  made.delete(nameOf(dataDir));
  await onServer(`drop database if exists ${nameOf(dataDir)} with (force)`);
}

async function make(name: string): Promise<void> {
  const there = await onServer(`select 1 from pg_database where datname = '${name}'`);
  if (there.length === 0) await onServer(`create database ${name} template migrated strategy file_copy`);
}

function nameOf(dataDir: string): string {
  return `in_${basename(dataDir)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '_')}`;
}

async function onServer(statement: string): Promise<unknown[]> {
  // Not to the template: nobody may be connected to what is copied.
  const client = new pg.Client({ connectionString: server?.replace(/\/[^/]*$/, '/postgres') });
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}

/** A statement on a store, past the program. `path`: of the SQLite file, or where it would be. */
export function sqlOn(
  path: string,
  statement: string,
  ...parameters: SQLInputValue[]
): Record<string, unknown>[] {
  if (onPostgres) return byPsql(databaseUrlOf(dirname(path)), statement, parameters);
  const database = new DatabaseSync(path, { timeout: 10_000 });
  try {
    return database.prepare(statement).all(...parameters);
  } finally {
    database.close();
  }
}

/** Several statements, in one transaction. */
export function changeStore(dataDir: string, statements: string): void {
  if (onPostgres) {
    byPsql(databaseUrlOf(dataDir), statements, []);
    return;
  }
  const database = new DatabaseSync(join(dataDir, 'mintmark.db'), { timeout: 10_000 });
  database.exec(`begin immediate; ${statements}; commit`);
  database.close();
}

function byPsql(url: string, statement: string, parameters: SQLInputValue[]): Record<string, unknown>[] {
  let at = 0;
  const text = statement.replaceAll('?', () => literal(parameters[at++]));
  const isQuery = /^\s*select/i.test(text);
  const asked = isQuery ? `select coalesce(json_agg(one), '[]') from (${text}) as one` : text;
  const { stdout, stderr, status } = psql(['--command', asked, url]);
  if (status !== 0) throw new Error(`${text}: ${stderr}`);
  return isQuery ? (JSON.parse(stdout) as Record<string, unknown>[]) : [];
}

function literal(value: SQLInputValue | undefined): string {
  if (typeof value === 'string') return `'${value.replaceAll("'", "''")}'`;
  return typeof value === 'number' ? String(value) : 'null';
}

function psql(args: string[]): { stdout: string; stderr: string; status: number | null } {
  const quiet = ['--no-psqlrc', '--quiet', '--tuples-only', '--no-align', '--set', 'ON_ERROR_STOP=1'];
  return spawnSync(postgresProgram('psql'), [...quiet, ...args], { encoding: 'utf8' });
}

/** Everything that the database holds, beside the files of the data folder; null on SQLite, where it is one of these. */
export function databaseContents(dataDir: string): Buffer | null {
  if (!onPostgres || !existsSync(dataDir)) return null;
  const { stdout, stderr, status } = spawnSync(
    postgresProgram('pg_dump'),
    ['--data-only', databaseUrlOf(dataDir)],
    { maxBuffer: 2 ** 30 },
  );
  // Of a data folder for which no command ever ran there is none.
  if (status !== 0 && !String(stderr).includes('does not exist')) throw new Error(String(stderr));
  return stdout;
}
