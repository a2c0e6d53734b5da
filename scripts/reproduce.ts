// `npm run reproduce -- <id>`: runs the test of an entry of docs/robustness.md on the code before the mend, where it fails,
// and on the code after it, where it passes. Both are checked out into a temporary worktree of this clone.
import {
  execFileSync,
  spawnSync,
  type SpawnSyncOptionsWithStringEncoding,
  type SpawnSyncReturns,
} from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assertions } from './reproductions-assertions.ts';
import { organisations } from './reproductions-organisations.ts';
import { history } from './reproductions-history.ts';
import type { Entry, Reproduction } from './reproduction.ts';
import { reviews } from './reproductions-reviews.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** A fault may show as a test that never ends. */
const TEST_TIMEOUT_MS = 120_000;
const RUN_TIMEOUT_MS = 300_000;
const OUTPUT_MAX_BYTES = 64 * 1024 * 1024;
/** Lines of a failure that are printed: the message and the two values, not the whole stack. */
const FAILURE_LINES_MAX = 12;
/** The server of a test did not start, which a busy machine can cause: that proves nothing, and the test runs again. */
const NOT_STARTED = /was not ready in time|not within \d+ ms: ready/;
const ATTEMPTS_MAX = 3;
/** What is taken from the commit of the test: tests, and what they import. */
const TEST_PATH = /(?:^|\/)test\/|\.test\.ts$|^packages\/test-support\/|^test-vectors\//;

/** All entries of docs/robustness.md, by id. */
export const reproductions: Readonly<Record<string, Entry>> = {
  ...reviews,
  ...assertions,
  ...organisations,
  ...history,
};

export interface TestRun {
  result: 'passed' | 'failed' | 'failed for another reason' | 'skipped' | 'did not run';
  output: string;
}

function git(directory: string, ...args: string[]): string {
  return execFileSync('git', ['-C', directory, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: OUTPUT_MAX_BYTES,
  }).trim();
}

function hasCommit(name: string): boolean {
  return spawnSync('git', ['-C', ROOT, 'cat-file', '-e', `${name}^{commit}`]).status === 0;
}

/** Returns what the history lacks for a reproduction, or undefined. */
function missingHistory({ mend, testsFrom = mend }: Reproduction): string | undefined {
  const missing = [`${mend}^`, mend, testsFrom].filter((name) => !hasCommit(name));
  if (missing.length === 0) return undefined;
  return (
    `This clone lacks the commits ${[...new Set(missing)].join(', ')}. It needs the whole history: ` +
    'run `git fetch --unshallow` (or clone without --depth), then the same command again.'
  );
}

/** Links the installed packages, except those of this repository: these come from the worktree. */
function linkModules(worktree: string): void {
  const from = join(ROOT, 'node_modules');
  const to = join(worktree, 'node_modules');
  mkdirSync(join(to, '@mintmark'), { recursive: true });
  for (const name of readdirSync(from))
    if (name !== '@mintmark' && name !== '.cache' && name !== '.mintmark-installed')
      symlinkSync(join(from, name), join(to, name));
  for (const name of readdirSync(join(from, '@mintmark')))
    symlinkSync(join('../../packages', name), join(to, '@mintmark', name));
}

/** Checks out the code of the mend, or of its parent, with the tests. */
function checkOut(worktree: string, code: string, reproduction: Reproduction): void {
  const { mend, testsFrom = mend, file, leavesOut } = reproduction;
  git(worktree, 'checkout', '--force', '--detach', '--quiet', code);
  const changed = git(worktree, 'diff', '--name-only', '--no-renames', '--diff-filter=d', code, testsFrom);
  const tests = changed.split('\n').filter((path) => TEST_PATH.test(path));
  if (tests.length > 0) git(worktree, 'checkout', testsFrom, '--', ...tests);
  if (leavesOut === undefined) return;
  const path = join(worktree, file);
  const text = readFileSync(path, 'utf8');
  if (!text.includes(`${leavesOut}\n`))
    throw new Error(`${file} of ${testsFrom} has no line "${leavesOut}".`);
  writeFileSync(path, text.replace(`${leavesOut}\n`, '\n'));
}

/** Reads the result of one test out of TAP: a test of another name, or a file that cannot be loaded, is none. */
export function resultIn(tap: string, name: string): TestRun['result'] {
  const escaped = name.replaceAll('\\', '\\\\').replaceAll('#', '\\#');
  const line = tap
    .split('\n')
    .map((text) => /^\s*(?<not>not )?ok \d+ - (?<title>.*)$/.exec(text)?.groups)
    .find((groups) => groups?.['title']?.replace(/ # (?:SKIP|TODO).*$/, '') === escaped);
  if (line === undefined) return 'did not run';
  if (/ # SKIP/.test(line['title'] ?? '')) return 'skipped';
  return line['not'] === undefined ? 'passed' : 'failed';
}

/** A pattern that matches the test and, for a test inside another one, nothing else beside its parents. */
function patternOf(name: string): string {
  return `${name.replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&')}$`;
}

/** Runs Node. A test that is stopped at its timeout ends no server that it started: this does. */
export function runInGroup(
  args: string[],
  options: SpawnSyncOptionsWithStringEncoding,
): SpawnSyncReturns<string> {
  // `detached` makes it the leader of a group of processes, and its children belong to the group.
  const run = spawnSync(process.execPath, args, { ...options, detached: true } as typeof options);
  if (run.pid === 0) return run; // it did not start
  try {
    process.kill(-run.pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
  return run;
}

function runTest(worktree: string, reproduction: Reproduction, attempt = 1): TestRun {
  const { file, test } = reproduction;
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/mintmark'),
  };
  // Set when this runs inside a test: the output would not be TAP.
  delete env['NODE_TEST_CONTEXT'];
  const options = ['--test-reporter=tap', '--test-force-exit', `--test-timeout=${TEST_TIMEOUT_MS}`];
  const { stdout, stderr } = runInGroup([...options, `--test-name-pattern=${patternOf(test)}`, file], {
    cwd: worktree,
    env,
    encoding: 'utf8',
    timeout: RUN_TIMEOUT_MS,
    maxBuffer: OUTPUT_MAX_BYTES,
  });
  const run: TestRun = { result: resultIn(stdout, test), output: `${stdout}\n${stderr}` };
  if (run.result === 'passed' || !NOT_STARTED.test(run.output)) return run;
  if (attempt < ATTEMPTS_MAX) return runTest(worktree, reproduction, attempt + 1);
  return { ...run, result: 'did not run' };
}

/** Runs the test before and after the mend. */
export function reproduce(reproduction: Reproduction): { before: TestRun; after: TestRun } {
  const { mend } = reproduction;
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-reproduce-'));
  const worktree = join(folder, 'code');
  try {
    git(ROOT, 'worktree', 'add', '--detach', '--quiet', worktree, `${mend}^`);
    linkModules(worktree);
    checkOut(worktree, `${mend}^`, reproduction);
    const before = runTest(worktree, reproduction);
    if (before.result === 'failed' && !before.output.includes(reproduction.failure))
      before.result = 'failed for another reason';
    checkOut(worktree, mend, reproduction);
    return { before, after: runTest(worktree, reproduction) };
  } finally {
    spawnSync('git', ['-C', ROOT, 'worktree', 'remove', '--force', worktree]);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Returns the lines that say why a test failed, or the end of the output if the test did not begin. */
function failureIn({ result, output }: TestRun): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  const start = lines.findIndex((line) => /^\s*error:/.test(line));
  const shown =
    result === 'failed' && start >= 0
      ? lines.slice(start, start + FAILURE_LINES_MAX)
      : lines.slice(-FAILURE_LINES_MAX);
  return shown.map((line) => `    ${line.trimEnd()}`).join('\n');
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** What the list says of an entry. */
function summary(entry: Entry): string {
  return 'mend' in entry ? entry.test : `not reproducible: ${entry.notReproducible}`;
}

function list(): number {
  print('Usage: npm run reproduce -- <id>. The entries of docs/robustness.md:\n');
  for (const [id, entry] of Object.entries(reproductions)) print(`${id.padEnd(5)} ${summary(entry)}`);
  return 2;
}

function main(id: string | undefined): number {
  if (id === undefined) return list();
  const entry = reproductions[id];
  if (entry === undefined) {
    print(`docs/robustness.md has no entry "${id}". Run \`npm run reproduce\` for the list.`);
    return 2;
  }
  if (!('mend' in entry)) {
    print(`${id} is not reproducible by one command: ${entry.notReproducible}`);
    return 3;
  }
  const missing = missingHistory(entry);
  if (missing !== undefined) {
    print(missing);
    return 2;
  }
  print(`${id}: "${entry.test}" in ${entry.file}`);
  const { before, after } = reproduce(entry);
  print(`\nBefore the mend (${entry.mend}^): ${before.result}`);
  if (before.result !== 'passed') print(failureIn(before));
  print(`\nAfter the mend (${entry.mend}): ${after.result}`);
  if (after.result !== 'passed') print(failureIn(after));
  const reproduced = before.result === 'failed' && after.result === 'passed';
  print(reproduced ? `\n${id} is reproduced.` : `\n${id} is NOT reproduced: expected failed, then passed.`);
  return reproduced ? 0 : 1;
}

if (import.meta.main) process.exitCode = main(process.argv[2]);
