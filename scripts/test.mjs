// Runs the test files (all, or those whose path contains one of the arguments) with node:test, a process each.
// --store=postgres: on a PostgreSQL server that is started for the run, but for what only SQLite has. --limits=redis: with
// limits in a Redis that is started for the run. --some: of these, the ones that ask most of the store.
// --long: with the few that a run of all leaves out.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

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

/** What the test files import is stripped of its types and compiled once, not in the process of each file. */
const NODE_COMPILE_CACHE = fileURLToPath(new URL('../node_modules/.cache/mintmark', import.meta.url));

const SOME_ON_POSTGRES = [
  'admin-api-user-list',
  'admin-bulk',
  'change-feed',
  'cli-live',
  'directory.test',
  'server/test/audit.test',
  'token-credentials',
];

const given = process.argv.slice(2);
const onPostgres = given.includes('--store=postgres');
const onRedis = given.includes('--limits=redis');
const some = given.includes('--some');
const flags = given.filter(
  (argument) => argument.startsWith('--') && !/^--(long$|store=|limits=|some$)/.test(argument),
);
const named = given.filter((argument) => !argument.startsWith('--'));
const wanted = named.length === 0 && some ? SOME_ON_POSTGRES : named;
const leftOut = named.length === 0 && !given.includes('--long') ? LONG : [];
if (leftOut.length > 0) console.log(`Left out, for --long: ${leftOut.join(', ')}.`);
const unwanted = [...(onPostgres ? NOT_ON_POSTGRES : []), ...(onRedis ? NOT_ON_REDIS : []), ...leftOut];
const files = globSync(['packages/*/test/**/*.test.ts', 'examples/**/*.test.ts', 'scripts/**/*.test.ts'], {
  exclude: (path) => path.includes('node_modules'),
})
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .filter((file) => !unwanted.some((part) => file.includes(part)))
  .sort();

if (files.length === 0) {
  console.error(`No test file matches ${wanted.join(' ')}.`);
  process.exit(1);
}

/** A server for the whole run, and how its tests find it; null where PostgreSQL is missing, which has been said then. */
async function postgresForRun() {
  const { startSuitePostgres } = await import('../packages/server/test/support/postgres-suite.ts');
  return await startSuitePostgres();
}

/** The same for Redis. */
async function redisForRun() {
  const { startSuiteRedis } = await import('../packages/server/test/support/redis-suite.ts');
  return await startSuiteRedis();
}

const postgres = onPostgres ? await postgresForRun() : undefined;
const redis = onRedis && postgres !== null ? await redisForRun() : undefined;
if (postgres === null || redis === null) {
  await postgres?.stop();
  process.exit(0);
}
const child = spawn(
  process.execPath,
  [
    '--test',
    '--test-concurrency=2',
    '--test-timeout=300000',
    ...['spec', './scripts/slowest-files.mjs'].flatMap((reporter) => [
      `--test-reporter=${reporter}`,
      '--test-reporter-destination=stdout',
    ]),
    ...flags,
    ...files,
  ],
  { stdio: 'inherit', env: { ...process.env, NODE_COMPILE_CACHE, ...postgres?.env, ...redis?.env } },
);
// Ctrl-C reaches the tests too; the server is stopped when they have ended.
process.on('SIGINT', () => undefined);
const [code] = await once(child, 'exit');
await postgres?.stop();
await redis?.stop();
process.exit(code ?? 1);
