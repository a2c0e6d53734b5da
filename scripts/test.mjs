// Runs the test files (all, or those whose path contains one of the arguments) with node:test, a process each. What a file
// needs stands in its first line (test-files.mjs).
// --changed, --changed=<commit>: the ones that the changes since `main`, or since that commit, need: within two minutes.
// --store=postgres: on a PostgreSQL server that is started for the run. --limits=redis: with limits in a Redis likewise.
// --some: the ones that `npm test` runs on PostgreSQL as well. --long: with the few that a run of all leaves out.
// --test-name-pattern=…: of all these, the tests whose name matches.
import { enableCompileCache } from 'node:module';
import { join, relative } from 'node:path';
import { finished } from 'node:stream/promises';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { testsOfChange } from './changed-tests.mjs';
import slowestFiles from './slowest-files.mjs';
import { readTestFiles, recordSeconds, ROOT } from './test-files.mjs';

/** What the test files import is stripped of its types and compiled once, not in the process of each file. */
const NODE_COMPILE_CACHE = join(ROOT, 'node_modules/.cache/mintmark');

/** Twice the two processors of the machine that decides: a test file computes during a third of its time. */
const FILES_AT_ONCE = 4;

/** For a file that installs packages while others load the machine. Tests have deadlines of their own. */
const FILE_MS = 600_000;

const given = process.argv.slice(2);
const onPostgres = given.includes('--store=postgres');
const onRedis = given.includes('--limits=redis');
const valuesOf = (flag) =>
  given.filter((argument) => argument.startsWith(flag)).map((argument) => argument.slice(flag.length));
const names = given.filter((argument) => !argument.startsWith('--'));
const changed = given.includes('--changed') ? 'main' : valuesOf('--changed=')[0];
const unknown = given.filter((argument) =>
  /^--(?!changed(=|$)|long$|some$|store=postgres$|limits=redis$|test-name-pattern=)/.test(argument),
);
if (unknown.length > 0) {
  console.error(`No such option: ${unknown.join(' ')}.`);
  process.exit(2);
}

/** The files that the arguments ask for, of all that there are. */
function select(all) {
  if (names.length > 0) return all.filter(({ path }) => names.some((name) => path.includes(name)));
  if (changed !== undefined) {
    const { chosen, leftOut } = testsOfChange(all, changed);
    if (leftOut.length > 0) console.log(`Left out, to end in time: ${pathsOf(leftOut)}.`);
    return chosen;
  }
  const asked = given.includes('--some') ? all.filter(({ setup }) => setup.has('also on PostgreSQL')) : all;
  if (given.includes('--long')) return asked;
  const long = asked.filter(({ setup }) => setup.has('long'));
  console.log(`Left out, for --long: ${pathsOf(long)}.`);
  return asked.filter((file) => !long.includes(file));
}

function pathsOf(files) {
  return files.map(({ path }) => path.replace(/^packages\/|\.test\.ts$/g, '')).join(', ');
}

const files = select(readTestFiles())
  .filter(({ setup }) => !(onPostgres && setup.has('own store')) && !(onRedis && setup.has('own limits')))
  // The slowest first: one that is left for the end runs while another processor has nothing to do.
  .sort((a, b) => b.seconds - a.seconds);

if (files.length === 0) {
  console.error(`No test file matches ${given.join(' ')}.`);
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
enableCompileCache(NODE_COMPILE_CACHE);
const { makeSuiteSqlite } = await import('@mintmark/test-support/sqlite-suite');
const sqlite = await makeSuiteSqlite();
Object.assign(process.env, { NODE_COMPILE_CACHE, ...sqlite.env, ...postgres?.env, ...redis?.env });
const interrupted = new AbortController();
// Ctrl-C reaches the tests too; the server is stopped when they have ended.
process.on('SIGINT', () => interrupted.abort());
const seconds = new Map();

/** Runs files, so many at a time, and prints how they went. The command line of node:test would sort them. */
async function runFiles(paths, concurrency) {
  if (paths.length === 0 || interrupted.signal.aborted) return;
  const results = run({
    files: paths,
    concurrency,
    timeout: FILE_MS,
    signal: interrupted.signal,
    testNamePatterns: valuesOf('--test-name-pattern='),
  });
  results.on('test:fail', ({ todo }) => {
    if (todo === undefined || todo === false) process.exitCode = 1;
  });
  results.on('test:summary', ({ file, duration_ms: ms, success }) => {
    if (file !== undefined && success) seconds.set(relative(ROOT, file), ms / 1000);
  });
  const reports = [spec, slowestFiles].map((reporter) => results.compose(reporter));
  for (const report of reports) report.pipe(process.stdout, { end: false });
  await Promise.all(reports.map((report) => finished(report)));
}

const pathsIn = (some) => some.map(({ path }) => join(ROOT, path));
await runFiles(pathsIn(files.filter(({ setup }) => !setup.has('alone'))), FILES_AT_ONCE);
await runFiles(pathsIn(files.filter(({ setup }) => setup.has('alone'))), 1);
if (given.every((argument) => !/^--(?:store|limits|test-name)/.test(argument))) recordSeconds(seconds);
sqlite.remove();
await postgres?.stop();
await redis?.stop();
process.exit();
