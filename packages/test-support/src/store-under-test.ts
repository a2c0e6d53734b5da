// The database under test: a SQLite file per data folder, or (npm test -- --store=postgres) a database per
// data folder on the run's server, named after the folder.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import pg from 'pg';
import { postgresProgram } from './postgres-binaries.ts';

/** URL of that server; its database `migrated` is an empty store. */
const server = process.env['MINTMARK_TEST_POSTGRES'];

/** URL of the Redis for limits (npm test -- --limits=redis); without it each process counts its own. */
const redis = process.env['MINTMARK_TEST_REDIS'];

export const onPostgres: boolean = server !== undefined;

/** The reason to skip tests of the SQLite file. */
export const SQLITE_ONLY: string | false = onPostgres && 'a test of the SQLite file';

const made = new Set<string>();

/** Adds the data folder's database, created if missing, and Redis to the settings. */
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

/** The run's Redis, with keys separate from other tests. */
function withRedis(env: Record<string, string>, name: string): Record<string, string> {
  if (redis === undefined || env['REDIS_URL'] !== undefined) return env;
  return { REDIS_URL: redis, MINTMARK_REDIS_PREFIX: name, MINTMARK_LIMITS_DEADLINE: '1000', ...env };
}

/** URL of a data folder's store. */
export function databaseUrlOf(dataDir: string): string {
  if (server === undefined) return `sqlite:${join(dataDir, 'mintmark.db')}`;
  return server.replace(/\/[^/]*$/, `/${nameOf(dataDir)}`);
}

/** Ends its connections and removes it. */
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
  // Not to the template, which must have no connections while it is copied.
  const client = new pg.Client({ connectionString: server?.replace(/\/[^/]*$/, '/postgres') });
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}

/** Runs SQL directly on a store. `path`: of the SQLite file, even if missing. */
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

/** Runs several statements in one transaction. */
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

/** The database's content besides the data folder; null on SQLite, whose file lies in the folder. */
export function databaseContents(dataDir: string): Buffer | null {
  if (!onPostgres || !existsSync(dataDir)) return null;
  const { stdout, stderr, status } = spawnSync(
    postgresProgram('pg_dump'),
    ['--data-only', databaseUrlOf(dataDir)],
    { maxBuffer: 2 ** 30 },
  );
  // A data folder without any command so far has no database.
  if (status !== 0 && !String(stderr).includes('does not exist')) throw new Error(String(stderr));
  return stdout;
}
