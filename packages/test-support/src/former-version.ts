// The program before one of its migrations, from the repository's history.
import { spawnSync } from 'node:child_process';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = new URL('../../../', import.meta.url).pathname;
const MIGRATIONS = 'packages/server/src/storage/migrations';

/** The former code, with today's dependencies and Node. */
export interface FormerVersion extends Disposable {
  commit: string;
  /** Path of the former `mintmark`. */
  program: string;
}

/** False if the history contains it; else the reason to skip. */
export function formerVersionMissing(migration: string): string | false {
  if (commitBefore(migration) !== null) return false;
  const how =
    `The history of the repository does not go back to before ${migration}: the upgrade from there was not tried. ` +
    'Clone the repository with its history, or: git fetch --unshallow';
  console.warn(`\n*** These tests are skipped. ${how} ***\n`);
  return how;
}

export function formerVersion(migration: string): FormerVersion {
  const commit = commitBefore(migration);
  if (commit === null) throw new Error(`no commit before ${migration}`);
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-former-'));
  const archive = join(folder, 'archive.tar');
  run('git', ['archive', '--output', archive, commit, 'package.json', 'packages']);
  run('tar', ['--extract', '--file', archive, '--directory', folder]);
  linkPackages(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return {
    commit: commit.slice(0, 7),
    program: join(folder, 'packages/server/bin/mintmark.mjs'),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Null without such a commit, as in a shallow clone, whose first commit has no parent and all files. */
function commitBefore(migration: string): string | null {
  const path = `${MIGRATIONS}/${migration}.ts`;
  // Several commits may have added it, as on two branches; the oldest is listed last.
  const added = git('log', '--diff-filter=A', '--format=%H', '--', path)?.split('\n').at(-1) ?? '';
  return added === '' ? null : git('rev-parse', '--verify', '--quiet', `${added}^`);
}

/** The workspace's links are relative, so in the other tree they point to its own packages. */
function linkPackages(from: string, to: string): void {
  for (const name of readdirSync(from)) {
    const path = join(from, name);
    if (name.startsWith('@')) {
      linkPackages(path, join(to, name));
      continue;
    }
    mkdirSync(to, { recursive: true });
    symlinkSync(lstatSync(path).isSymbolicLink() ? readlinkSync(path) : path, join(to, name));
  }
}

function git(...args: string[]): string | null {
  const { status, stdout } = spawnSync('git', args, { cwd: ROOT, encoding: 'utf8' });
  return status === 0 ? stdout.trim() : null;
}

function run(command: string, args: string[]): void {
  const { status, stderr } = spawnSync(command, args, { cwd: ROOT, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
}
