// Runs the test files (all, or those whose path contains one of the arguments) with node:test, a process each.
// --store=postgres: on a PostgreSQL server that is started for the run, but for what only SQLite has. --limits=redis: with
// limits in a Redis that is started for the run. --some: of these, the ones that ask most of the store.
// --long: with the few that a run of all leaves out. --test-name-pattern=…: of them, the tests whose name matches.
import { globSync } from 'node:fs';
import { finished } from 'node:stream/promises';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';
import slowestFiles from './slowest-files.mjs';

/** Tests of the SQLite file, of no store at all, or with a PostgreSQL server of their own. */
const NOT_ON_POSTGRES = [
  'audit-chain',
  'bad-disk',
  'bad-input',
  'bad-settings',
  'bootstrap',
  'cli-doctor',
  'docs.test',
  'house-rules',
  'kill.test',
  'postgres-',
  'redis-limits',
  'redis-outages',
  'sqlite-',
  'store-',
];

/** Tests of no limits at all, or with a Redis of their own. */
const NOT_ON_REDIS = ['bad-settings', 'cli-doctor', 'docs.test', 'house-rules', 'postgres-', 'redis-'];

/** Half a minute or more each, of which a shorter one in another file tries the most: by name, or with --long. */
const LONG = [
  'postgres-failures',
  'postgres-rolling',
  'postgres-start',
  'postgres-upgrade',
  'redis-outages',
  'workers-replaced',
];

/** The slowest begin first: one that is left for the end runs while another processor has nothing to do. */
const FIRST = [
  'bootstrap',
  'console-access',
  'console.test',
  'console-safety',
  'bad-disk',
  'bad-input',
  'postgres-',
  'client/test/package',
  'workers',
];

function rank(file) {
  const found = FIRST.findIndex((part) => file.includes(part));
  return found < 0 ? FIRST.length : found;
}

/** What the test files import is stripped of its types and compiled once, not in the process of each file. */
const NODE_COMPILE_CACHE = fileURLToPath(new URL('../node_modules/.cache/mintmark', import.meta.url));

const SOME_ON_POSTGRES = [
  'admin-api-user-list',
  'admin-bulk',
  'change-feed',
  'cli-live',
  'directory.test',
  'test/admin/audit.test',
  'token-credentials',
];

const given = process.argv.slice(2);
const onPostgres = given.includes('--store=postgres');
const onRedis = given.includes('--limits=redis');
const some = given.includes('--some');
const valuesOf = (flag) =>
  given.filter((argument) => argument.startsWith(flag)).map((argument) => argument.slice(flag.length));
const named = given.filter((argument) => !argument.startsWith('--'));
const unknown = given.filter((argument) =>
  /^--(?!long$|some$|store=postgres$|limits=redis$|test-name-pattern=)/.test(argument),
);
if (unknown.length > 0) {
  console.error(`No such option: ${unknown.join(' ')}.`);
  process.exit(2);
}
const wanted = named.length === 0 && some ? SOME_ON_POSTGRES : named;
const leftOut = named.length === 0 && !given.includes('--long') ? LONG : [];
if (leftOut.length > 0) console.log(`Left out, for --long: ${leftOut.join(', ')}.`);
const unwanted = [...(onPostgres ? NOT_ON_POSTGRES : []), ...(onRedis ? NOT_ON_REDIS : []), ...leftOut];
const files = globSync(['packages/*/test/**/*.test.ts', 'examples/**/*.test.ts', 'scripts/**/*.test.ts'], {
  exclude: (path) => path.includes('node_modules'),
})
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .filter((file) => !unwanted.some((part) => file.includes(part)))
  .sort()
  .sort((a, b) => rank(a) - rank(b));

if (files.length === 0) {
  console.error(`No test file matches ${wanted.join(' ')}.`);
  process.exit(1);
}

/** A server for the whole run, and how its tests find it; null where PostgreSQL is missing, which has been said then. */
async function postgresForRun() {
  const { startSuitePostgres } = await import('@mintmark/test-support/postgres-suite');
  return await startSuitePostgres();
}

/** The same for Redis. */
async function redisForRun() {
  const { startSuiteRedis } = await import('@mintmark/test-support/redis-suite');
  return await startSuiteRedis();
}

const postgres = onPostgres ? await postgresForRun() : undefined;
const redis = onRedis && postgres !== null ? await redisForRun() : undefined;
if (postgres === null || redis === null) {
  await postgres?.stop();
  process.exit(0);
}
Object.assign(process.env, { NODE_COMPILE_CACHE, ...postgres?.env, ...redis?.env });
const interrupted = new AbortController();
// Ctrl-C reaches the tests too; the server is stopped when they have ended.
process.on('SIGINT', () => interrupted.abort());
// The command line would sort the files.
const results = run({
  files,
  concurrency: 2,
  timeout: 300_000,
  signal: interrupted.signal,
  testNamePatterns: valuesOf('--test-name-pattern='),
});
results.on('test:fail', ({ todo }) => {
  if (todo === undefined || todo === false) process.exitCode = 1;
});
const reports = [spec, slowestFiles].map((reporter) => results.compose(reporter));
for (const report of reports) report.pipe(process.stdout, { end: false });
await Promise.all(reports.map((report) => finished(report)));
await postgres?.stop();
await redis?.stop();
process.exit();
