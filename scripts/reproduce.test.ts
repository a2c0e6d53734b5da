// Test setup: own store, own limits.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { resultIn } from './reproduce.ts';
import { reproductions } from './reproductions.ts';

const ROOT = join(import.meta.dirname, '..');
const track = readFileSync(join(ROOT, 'docs/robustness.md'), 'utf8');
/** A fault whose test needs no server: the two runs take seconds. */
const FAST = 'h3';

function command(root: string, ...args: string[]) {
  return spawnSync(process.execPath, [join(root, 'scripts/reproduce.ts'), ...args], { encoding: 'utf8' });
}

function git(...args: string[]) {
  return spawnSync('git', ['-C', ROOT, ...args], { encoding: 'utf8' });
}

function fastEntry() {
  const entry = reproductions[FAST];
  assert.ok(entry !== undefined && 'mend' in entry);
  return entry;
}

const skipWithoutHistory =
  git('cat-file', '-e', `${fastEntry().mend}^`).status === 0 ? false : 'this clone lacks the history';

void test('every entry of the track record has a reproduction, or says why not', () => {
  const ids = [...track.matchAll(/^### (?<id>\w+)\. /gm)].map(({ groups }) => groups?.['id'] ?? '');
  assert.deepEqual(ids.toSorted(), Object.keys(reproductions).toSorted());
  for (const [id, entry] of Object.entries(reproductions))
    if ('notReproducible' in entry) assert.match(entry.notReproducible, /\w{3,}.*\.$/, id);
});

void test('every mend of a reproduction is part of the history', { skip: skipWithoutHistory }, () => {
  for (const [id, entry] of Object.entries(reproductions)) {
    if (!('mend' in entry)) continue;
    assert.equal(git('merge-base', '--is-ancestor', entry.mend, 'HEAD').status, 0, `${id}: ${entry.mend}`);
    const file = git('show', `${entry.testsFrom ?? entry.mend}:${entry.file}`).stdout;
    assert.ok(file.includes(entry.test.split(/['’]/, 1)[0] ?? ''), `${id}: ${entry.file} has no such test`);
  }
});

void test('a test fails before the mend and passes after it', { skip: skipWithoutHistory }, () => {
  const { status, stdout, stderr } = command(ROOT, FAST);
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /Before the mend \(\w+\^\): failed\n.*error:/s);
  assert.match(stdout, /After the mend \(\w+\): passed/);
  assert.ok(!git('worktree', 'list').stdout.includes('mintmark-reproduce-'), 'a worktree was left');
});

void test('a shallow clone says which commits it lacks, and how to get them', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-shallow-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const clone = join(folder, 'clone');
  const cloned = git('clone', '--quiet', '--depth=1', pathToFileURL(ROOT).href, clone);
  assert.equal(cloned.status, 0, cloned.stderr);
  const { status, stdout } = command(clone, FAST);
  assert.equal(status, 2, stdout);
  assert.ok(stdout.includes(fastEntry().mend), stdout);
  assert.match(stdout, /git fetch --unshallow/);
});

void test('an unknown id is quoted, and no id lists the entries', () => {
  const unknown = command(ROOT, 'h999');
  assert.equal(unknown.status, 2);
  assert.match(unknown.stdout, /no entry "h999"/);
  assert.ok(command(ROOT).stdout.includes(fastEntry().test));
});

void test('only the named test counts in the output of a run', () => {
  const name = 'a limit of #1 holds';
  assert.equal(resultIn('    ok 1 - a limit of \\#1 holds\nok 1 - other', name), 'passed');
  assert.equal(resultIn('not ok 1 - a limit of \\#1 holds', name), 'failed');
  assert.equal(resultIn('ok 1 - a limit of \\#1 holds # SKIP no Redis', name), 'skipped');
  assert.equal(resultIn('not ok 1 - other.test.ts', name), 'did not run');
});
