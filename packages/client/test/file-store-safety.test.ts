// The file store in folders and with files that somebody else has prepared.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmod,
  chown,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { FileTokenStore } from '../src/file-store.ts';
import { TokenManager } from '../src/index.ts';
import { configure } from './support/credentials.ts';
import type { FaultServer } from './support/fault-server.ts';
import { startFaultServer } from './support/fault-server.ts';

const LIFE_MS = 60_000;
const NOBODY = 65_534;
const asRoot = process.getuid?.() === 0;

let root: string;
let directory: string;
let server: FaultServer;
before(async () => {
  server = await startFaultServer();
  root = await mkdtemp(join(tmpdir(), 'mintmark-planted-'));
});
after(async () => {
  await server.close();
  await rm(root, { recursive: true });
});
beforeEach(async () => {
  directory = await mkdtemp(join(root, 'store-'));
});

/** The path of the file in which the store keeps the token of `key`. */
async function pathOf(store: FileTokenStore, key: string): Promise<string> {
  await store.set(key, 'own', LIFE_MS);
  const [name = ''] = await readdir(directory);
  return join(directory, name);
}

const planted = (value: string) => `${Date.now() + LIFE_MS}\n${value}`;

test('a link replacing a token file is neither followed nor overwritten', async () => {
  const store = new FileTokenStore(directory);
  const path = await pathOf(store, 'key');
  const target = join(root, 'target');
  await writeFile(target, planted('planted'), { mode: 0o600 });
  await rm(path);
  await symlink(target, path);
  await assert.rejects(store.get('key'), /is not a file of this user alone/);
  await store.set('key', 'fresh', LIFE_MS);
  assert.match(await readFile(target, 'utf8'), /planted$/);
  assert.equal(await store.get('key'), 'fresh');
  const { mode } = await lstat(path);
  assert.equal(mode & 0o170_777, 0o100_600);
});

test('a link in place of a lock is not followed', async () => {
  const store = new FileTokenStore(directory);
  const path = await pathOf(store, 'key');
  const target = join(root, 'lock-target');
  await symlink(target, `${path}.lock`);
  assert.equal(await store.lock('key', LIFE_MS), undefined);
  await assert.rejects(lstat(target), { code: 'ENOENT' });
});

test('a token file readable by others, hard-linked or piped is refused', async () => {
  const store = new FileTokenStore(directory);
  const path = await pathOf(store, 'key');
  await chmod(path, 0o644);
  await assert.rejects(store.get('key'), /is not a file of this user alone/);
  await store.set('key', 'again', LIFE_MS);
  assert.equal(await store.get('key'), 'again');
  await link(path, join(directory, 'second'));
  await assert.rejects(store.get('key'), /is not a file of this user alone/);
  await rm(path);
  execFileSync('mkfifo', ['-m', '600', path]);
  await assert.rejects(store.get('key'), /is not a file of this user alone/);
});

test('a token file longer than a token is refused unread', async () => {
  const store = new FileTokenStore(directory);
  const path = await pathOf(store, 'key');
  await writeFile(path, planted('x'.repeat(2_000_000)));
  await assert.rejects(store.get('key'), /has more than 1048576 bytes/);
});

test('a folder others can write is refused and stays empty', async () => {
  for (const mode of [0o777, 0o770, 0o720, 0o702, 0o1777]) {
    await chmod(directory, mode);
    const store = new FileTokenStore(directory);
    const refusal = /FileTokenStore.*others can write.*chmod 700/;
    await assert.rejects(store.set('key', 'value', LIFE_MS), refusal, mode.toString(8));
    await assert.rejects(store.get('key'), refusal, mode.toString(8));
    await assert.rejects(store.lock('key', LIFE_MS), refusal, mode.toString(8));
    assert.deepEqual(await readdir(directory), []);
  }
});

test('a link replacing the folder is refused, even with a slash', async () => {
  const path = join(root, `link-${directory.slice(-6)}`);
  await symlink(directory, path);
  for (const name of [path, `${path}/`, `${path}/.`]) {
    await assert.rejects(new FileTokenStore(name).set('key', 'value', LIFE_MS), /is not a folder/);
  }
  assert.deepEqual(await readdir(directory), []);
});

test('a folder below one that anybody can write is refused', async () => {
  const open = join(directory, 'open');
  await mkdir(open);
  await chmod(open, 0o777);
  await assert.rejects(new FileTokenStore(join(open, 'tokens')).set('key', 'v', LIFE_MS), /others can write/);
  await chmod(open, 0o1777);
  await new FileTokenStore(join(open, 'tokens')).set('key', 'v', LIFE_MS);
});

test('a folder or token file of another user is refused', { skip: !asRoot && 'needs root' }, async () => {
  const store = new FileTokenStore(directory);
  const path = await pathOf(store, 'key');
  await chown(path, NOBODY, NOBODY);
  await assert.rejects(store.get('key'), /is not a file of this user alone/);
  await rm(path);
  await chown(directory, NOBODY, NOBODY);
  await assert.rejects(store.set('key', 'value', LIFE_MS), /belongs to another user/);
});

test('a manager asks the server for tokens if its store is refused', async () => {
  await chmod(directory, 0o777);
  const manager = new TokenManager(configure(server.host), { store: new FileTokenStore(directory) });
  assert.match(await manager.getToken(), /^eyJ/);
  assert.deepEqual(await readdir(directory), []);
});
