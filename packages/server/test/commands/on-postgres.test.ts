// Test setup: PostgreSQL, own store, own limits, first.
// The command line on a store in PostgreSQL.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Finding } from '../../src/doctor/finding.ts';
import { PASSWORD, startPostgres, type TestPostgres } from '@mintmark/test-support/postgres';
import { postgresMissing } from '@mintmark/test-support/postgres-binaries';
import { mintmark } from '@mintmark/test-support/server';

describe('the command line on PostgreSQL', { skip: postgresMissing() }, () => {
  let server: TestPostgres;
  let env: Record<string, string>;
  before(async () => {
    server = await startPostgres();
    const DATABASE_URL = server.url(await server.newDatabase());
    env = { DATABASE_URL, MINTMARK_MASTER_KEY: 'ab'.repeat(32) };
  });
  after(() => server[Symbol.asyncDispose]());

  async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
    const { code, out, err } = await mintmark(args, { env });
    assert.ok(!`${out}${err}`.includes(encodeURIComponent(PASSWORD)), 'the password is shown');
    assert.ok(!`${out}${err}`.includes(PASSWORD), 'the password is shown');
    return { code, out, err };
  }

  async function findings(): Promise<Finding[]> {
    return JSON.parse((await run('doctor', '--json')).out) as Finding[];
  }

  test('refuses a database without a store with exit code 5, and works on one that migrate made', async () => {
    const early = await run('api-user', 'list');
    assert.equal(early.code, 5);
    assert.match(
      early.err,
      /^mintmark: There is no store in the database test_1: mintmark serve or mintmark migrate/,
    );
    assert.match((await run('migrate')).out, /^Migrated: 001-first, /);
    assert.match((await run('migrate')).out, /^The store is up to date\./);
    assert.equal((await run('signing-key', 'rotate')).code, 0);
    const made = await run('api-user', 'create', '--name', 'Importer', '--scope', 'campaigns:read', '--json');
    const { client_id } = JSON.parse(made.out) as { client_id: string };
    assert.match((await run('api-user', 'show', client_id)).out, /Importer/);
    assert.equal((await run('credential', 'reset', client_id, '--overlap', '1h')).code, 0);
    assert.equal((await run('api-user', 'delete', client_id)).code, 0);
    assert.equal((await run('api-user', 'show', client_id)).code, 3);
  });

  test('has doctor name the server, and warn where what is written can be lost', async () => {
    const store = (await findings()).filter(({ what }) => what === 'store');
    assert.equal(store[0]?.state, 'ok');
    assert.match(
      store[0]?.detail ?? '',
      /^postgres:\/\/mintmark@127\.0\.0\.1:\d+\/test_1, PostgreSQL \d+\.\d+, migrated, undamaged$/,
    );
    const warned = store.slice(1).map(({ state, detail }) => `${state} ${detail}`);
    assert.deepEqual(
      warned.map(
        (text) => /^warn PostgreSQL runs with (\w+) = off: what was written can be lost/.exec(text)?.[1],
      ),
      ['fsync', 'full_page_writes'],
    );
    assert.equal((await run('doctor')).code, 0);
  });

  test('has doctor find a store that is damaged', async () => {
    await server.sql('update epoch set n = n - 1', 'test_1');
    const found = (await findings()).find(({ state }) => state === 'fail');
    assert.deepEqual([found?.what, found?.mend], ['store', 'restore the last backup']);
    assert.match(found?.detail ?? '', /changes with numbers above the epoch$/);
    await server.sql('update epoch set n = n + 1', 'test_1');
  });

  test('warns of a password on the command line, and takes it', async () => {
    const { code, err } = await run('migrate', '--database-url', env['DATABASE_URL'] ?? '');
    assert.equal(code, 0);
    assert.match(err, /^mintmark: a password on a command line can be read by every user of this machine/);
    assert.equal((await run('migrate')).err, '');
  });

  test('ends with exit code 5 and what to do where the server is away', async () => {
    await server.stop();
    for (const args of [['api-user', 'list'], ['serve', '--port', '0'], ['migrate']]) {
      const { code, out, err } = await run(...args);
      assert.equal(code, 5, err);
      assert.equal(out, '');
      assert.match(
        err,
        /^mintmark: PostgreSQL at 127\.0\.0\.1:\d+ is out of reach: nothing listens there: start it/,
      );
    }
    const found = (await findings()).filter(({ state }) => state === 'fail');
    assert.deepEqual(
      found.map(({ what }) => what),
      ['store'],
    );
  });
});
