// Test setup: own store.
import assert from 'node:assert/strict';
import {
  mkdirSync,
  openSync,
  closeSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { sql } from 'kysely';
import { SYSTEM } from '../../src/domain/actor.ts';
import { createApiUser } from '../../src/admin/api-user.ts';
import { createSecret } from '../../src/admin/credential.ts';
import { connectMigrated, openMigratedStore, openStore } from '../../src/store-files/open.ts';
import { sqliteError, StoreError } from '../../src/storage/store-error.ts';
import { refusedWith } from './store-contract.ts';
import { everyStoreContract } from './store-contracts.ts';
import { pageBytesOf } from '@mintmark/test-support/page-bytes';
import { apiUserSettings, temporaryStore, type TemporaryStore } from '@mintmark/test-support/temporary-store';

describe('the store on SQLite', () => {
  everyStoreContract(temporaryStore);
});

describe('a SQLite file', () => {
  test('is reopened without a migration, and refused unmigrated by readers', async () => {
    await using opened = await temporaryStore();
    const again = await openStore(opened.config, { watch: false });
    assert.deepEqual(again.migrated, []);
    await again.store.close();
    const database = new DatabaseSync(opened.path);
    database.exec('delete from kysely_migration');
    database.close();
    await refusedWith('not_migrated', openMigratedStore(opened.config));
  });

  test('is kept in write-ahead mode, and passes its integrity check', async () => {
    await using opened = await temporaryStore();
    using database = new DatabaseSync(opened.path, { readOnly: true });
    assert.equal(database.prepare('pragma journal_mode').get()?.['journal_mode'], 'wal');
    assert.equal(await opened.store.damage(), null);
  });

  test('has a larger cache while all of a table is read', async (t) => {
    await using opened = await temporaryStore();
    const { read, readAll, close } = await connectMigrated(opened.config);
    t.after(close);
    const cacheKib = async (): Promise<number> => {
      const { rows } = await sql<{ cache_size: number }>`pragma cache_size`.execute(read);
      return -(rows[0]?.cache_size ?? 0);
    };
    const before = await cacheKib();
    const during = await readAll(cacheKib);
    assert.ok(during > before, `${during} KiB in place of ${before}`);
    assert.equal(await cacheKib(), before);
    await assert.rejects(
      readAll(() => Promise.reject(new Error('cut off'))),
      /cut off/,
    );
    assert.equal(await cacheKib(), before, 'also after a read that failed');
  });

  test('locked by another process is refused after the busy timeout', async () => {
    await using opened = await temporaryStore({ MINTMARK_STORE_BUSY_TIMEOUT: '50' });
    using other = new DatabaseSync(opened.path);
    other.exec('begin immediate');
    const error = await refusedWith(
      'locked',
      createApiUser({ store: opened.store, actor: SYSTEM, nowMs: 1 }, apiUserSettings()),
    );
    assert.match(error.message, /locked by another process/);
    assert.equal(await opened.store.apiUsers.any(), false, 'reading goes on meanwhile');
    other.exec('rollback');
    await createApiUser({ store: opened.store, actor: SYSTEM, nowMs: 1 }, apiUserSettings());
    assert.equal(await opened.store.apiUsers.any(), true);
  });

  test('migrated by a later version is refused as newer, unchanged', async () => {
    await using opened = await temporaryStore();
    using other = new DatabaseSync(opened.path);
    other.exec("insert into kysely_migration (name, timestamp) values ('999-later', 'now')");
    const error = await refusedWith('newer', openStore(opened.config, { watch: false }));
    assert.match(error.message, /999-later/);
  });

  test('of another program is refused as not ours, unchanged', async () => {
    await using opened = await temporaryStore();
    const theirs = join(opened.dataDir, 'theirs.db');
    const database = new DatabaseSync(theirs);
    database.exec('create table theirs (x)');
    database.close();
    const text = join(opened.dataDir, 'notes.txt');
    writeFileSync(text, 'dear diary, this is more than sixteen bytes');
    for (const path of [theirs, text]) {
      const before = readFileSync(path);
      await refusedWith('not_ours', openAt(opened, path));
      assert.deepEqual(readFileSync(path), before);
    }
    assert.deepEqual(
      readdirSync(opened.dataDir).filter((name) => name.startsWith('notes')),
      ['notes.txt'],
    );
  });

  test('in a missing folder, or a folder itself, cannot be opened', async () => {
    await using opened = await temporaryStore();
    const missing = join(opened.dataDir, 'missing', 'mintmark.db');
    await refusedWith('cannot_open', openAt(opened, missing));
    const folder = join(opened.dataDir, 'folder');
    mkdirSync(folder);
    await refusedWith('cannot_open', openAt(opened, folder));
  });

  test('that was damaged on disk is reported by check and read', async () => {
    await using opened = await temporaryStore();
    for (let i = 0; i < 60; i++) {
      const { clientId } = await createApiUser(
        { store: opened.store, actor: SYSTEM, nowMs: 1 },
        apiUserSettings({ name: 'x'.repeat(190) }),
      );
      await createSecret(
        { store: opened.store, actor: SYSTEM, nowMs: 1 },
        { owner: clientId, name: 'first', expiresAt: null },
      );
    }
    await opened.store.close(); // which works the log into the file
    const again = await opened.another();
    const size = pageBytesOf(opened.path);
    const pages = Math.floor(statSync(opened.path).size / size);
    const file = openSync(opened.path, 'r+');
    for (let page = 4; page < pages; page++) writeSync(file, Buffer.alloc(size, 0x5a), 0, size, page * size);
    closeSync(file);
    const damage = await again.damage().catch((error: unknown) => {
      assert.ok(error instanceof StoreError && error.code === 'corrupt');
      return error.message;
    });
    assert.notEqual(damage, null);
    await refusedWith('corrupt', again.apiUsers.list({ after: null, limit: 100 }));
  });
});

async function openAt({ config }: TemporaryStore, path: string): Promise<void> {
  const { store } = await openStore({ ...config, databaseUrl: { kind: 'sqlite', path } }, { watch: false });
  await store.close();
}

test('each SQLite result code an operator can meet is explained with advice', () => {
  const codes = { 5: 'locked', 6: 'locked', 8: 'read_only', 10: 'unavailable', 11: 'corrupt', 13: 'full' };
  for (const [code, expected] of Object.entries({
    ...codes,
    14: 'cannot_open',
    19: 'conflict',
    26: 'not_ours',
  })) {
    for (const extended of [0, 3 << 8]) {
      const error = sqliteError('it failed', Number(code) | extended, 'some.db');
      assert.ok(error instanceof StoreError);
      assert.equal(error.code, expected);
    }
  }
  assert.ok(!(sqliteError('a bug', 1, 'some.db') instanceof StoreError));
  assert.ok(!(sqliteError('a bug', undefined, 'some.db') instanceof StoreError));
});
