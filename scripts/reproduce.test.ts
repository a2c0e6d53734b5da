// Test setup: own store, own limits.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { eventually } from '@mintmark/test-support/eventually';
import { reproductions, resultIn, runInGroup } from './reproduce.ts';

const ROOT = join(import.meta.dirname, '..');
const track = readFileSync(join(ROOT, 'docs/robustness.md'), 'utf8');
/** A fault whose test needs no server: the two runs take seconds. */
const FAST = 'h10';

function command(root: string, args: string[], env: NodeJS.ProcessEnv = {}) {
  return spawnSync(process.execPath, [join(root, 'scripts/reproduce.ts'), ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
}

function git(...args: string[]) {
  return spawnSync('git', ['-C', ROOT, ...args], { encoding: 'utf8' });
}

function filesOf(commit: string): Set<string> {
  return new Set(git('ls-tree', '-r', '--name-only', commit).stdout.split('\n'));
}

function fastEntry() {
  const entry = reproductions[FAST];
  assert.ok(entry !== undefined && 'mend' in entry);
  return entry;
}

const skipWithoutHistory =
  git('cat-file', '-e', `${fastEntry().mend}^`).status === 0 ? false : 'this clone lacks the history';

void test('every entry of the track record has a reproduction or its reason', () => {
  const ids = [...track.matchAll(/^### (?<id>\w+)\. /gm)].map(({ groups }) => groups?.['id'] ?? '');
  assert.deepEqual(ids.toSorted(), Object.keys(reproductions).toSorted());
  for (const [id, entry] of Object.entries(reproductions))
    if ('notReproducible' in entry) assert.match(entry.notReproducible, /\w{3,}.*\.$/, id);
});

void test(
  'the mend and the test of each reproduction are in the history',
  { skip: skipWithoutHistory },
  () => {
    const history = git('rev-list', 'HEAD').stdout.split('\n');
    for (const [id, entry] of Object.entries(reproductions)) {
      if (!('mend' in entry)) continue;
      const { mend, testsFrom = mend, file } = entry;
      for (const name of [mend, testsFrom])
        assert.ok(
          history.some((hash) => hash.startsWith(name)),
          `${id}: ${name} is not in the history`,
        );
      if (!filesOf(testsFrom).has(file)) assert.fail(`${id}: ${testsFrom} has no ${file}`);
    }
  },
);

void test('a test fails before the mend and passes after it', { skip: skipWithoutHistory }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-reproduced-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const { status, stdout, stderr } = command(ROOT, [FAST], { TMPDIR: folder });
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /Before the mend \(\w+\^\): failed\n.*error:/s);
  assert.match(stdout, /After the mend \(\w+\): passed/);
  assert.deepEqual(readdirSync(folder), []);
  assert.ok(!git('worktree', 'list').stdout.includes(folder), 'its worktree is still registered');
});

void test('a shallow clone names the commits it lacks and the remedy', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-shallow-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const clone = join(folder, 'clone');
  const cloned = git('clone', '--quiet', '--depth=1', pathToFileURL(ROOT).href, clone);
  assert.equal(cloned.status, 0, cloned.stderr);
  const { status, stdout } = command(clone, [FAST]);
  assert.equal(status, 2, stdout);
  assert.ok(stdout.includes(fastEntry().mend), stdout);
  assert.match(stdout, /git fetch --unshallow/);
});

void test('an unknown id is quoted, and no id lists the entries', () => {
  const unknown = command(ROOT, ['h999']);
  assert.equal(unknown.status, 2);
  assert.match(unknown.stdout, /no entry "h999"/);
  assert.ok(command(ROOT, []).stdout.includes(fastEntry().test));
});

void test('what a test leaves running ends with its run', async () => {
  const script = `
    const left = require('node:child_process').spawn('sleep', ['300'], { stdio: 'ignore' });
    console.log(left.pid);
    process.exit();`;
  const pid = Number(runInGroup(['-e', script], { encoding: 'utf8' }).stdout);
  assert.ok(pid > 0);
  await eventually(() => assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' }));
});

void test('only the named test counts in the output of a run', () => {
  const name = 'a limit of #1 holds';
  assert.equal(resultIn('    ok 1 - a limit of \\#1 holds\nok 1 - other', name), 'passed');
  assert.equal(resultIn('not ok 1 - a limit of \\#1 holds', name), 'failed');
  assert.equal(resultIn('ok 1 - a limit of \\#1 holds # SKIP no Redis', name), 'skipped');
  assert.equal(resultIn('not ok 1 - other.test.ts', name), 'did not run');
});
