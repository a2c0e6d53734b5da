// Test setup: own store, own limits.
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Finding } from '../../src/doctor/finding.ts';
import { MIGRATION_NAMES } from '../../src/storage/migrations/names.ts';
import { pageBytesOf } from '@mintmark/test-support/page-bytes';
import { mintmark } from '@mintmark/test-support/server';
import { temporaryFolder, testStore, type TestStore } from '@mintmark/test-support/command-line';

interface Diagnosis {
  code: number;
  err: string;
  findings: Finding[];
  /** The findings that are not ok. */
  bad: Finding[];
}

async function diagnosis(store: TestStore, env: Record<string, string> = {}): Promise<Diagnosis> {
  const { code, out, err } = await store.run(['doctor', '--json'], { env });
  const findings = JSON.parse(out) as Finding[];
  return { code, err, findings, bad: findings.filter(({ state }) => state !== 'ok') };
}

/** One check fails, with exit code 6, and says what and how to mend it. */
async function assertFails(
  store: TestStore,
  what: Finding['what'],
  detail: RegExp,
  mend: RegExp | null,
  env: Record<string, string> = {},
): Promise<void> {
  const { code, err, findings, bad } = await diagnosis(store, env);
  assert.equal(code, 6);
  assert.equal(err, `mintmark: 1 of ${findings.length} checks failed.\n`);
  assert.equal(bad.length, 1, JSON.stringify(bad));
  assert.equal(bad[0]?.what, what);
  assert.equal(bad[0]?.state, 'fail');
  assert.match(bad[0]?.detail ?? '', detail);
  if (mend !== null) assert.match(bad[0]?.mend ?? '', mend);
}

test('doctor finds nothing wrong with a healthy store, and changes nothing', async () => {
  using store = await testStore({ keys: true });
  const before = readFileSync(store.path);
  const { code, out, err } = await store.run(['doctor']);
  assert.equal(code, 0, out + err);
  assert.equal(err, '');
  const checks = ['runtime', 'configuration', 'files', 'store', 'master key', 'signing keys', 'clock'];
  assert.deepEqual(
    out
      .split('\n')
      .filter(Boolean)
      .map((line) => line.slice(0, 20).trimEnd()),
    checks.map((what) => `ok    ${what}`),
  );
  const { findings } = await diagnosis(store);
  assert.deepEqual(
    findings.map(({ what, state }) => [what, state]),
    checks.map((what) => [what, 'ok']),
  );
  assert.ok(readFileSync(store.path).equals(before));
});

test('doctor marks failures and gives the remedy on the next line', async () => {
  using store = await testStore({ keys: true });
  rmSync(join(store.dataDir, 'master.key'));
  const { code, out } = await store.run(['doctor']);
  assert.equal(code, 6);
  assert.match(out, /^FAIL {2}master key +.*master\.key is missing\n {6}→ put it back from your backup/m);
});

test('doctor reports every wrong setting and stops there', async () => {
  using store = await testStore();
  const { code, findings, bad } = await diagnosis(store, { MINTMARK_PORT: 'x', MINTMARK_DRAIN: '-1' });
  assert.equal(code, 6);
  assert.match(
    bad[0]?.detail ?? '',
    /MINTMARK_PORT: "x" is not allowed[^]*MINTMARK_DRAIN: "-1" is not allowed/,
  );
  assert.match(bad[0]?.mend ?? '', /mintmark serve --help/);
  assert.deepEqual(
    findings.map(({ what }) => what),
    ['runtime', 'configuration'],
  );
});

test('doctor warns of a variable that resembles a setting', async () => {
  using store = await testStore({ keys: true });
  const { code, bad } = await diagnosis(store, { MINTMARK_PROT: '80', MINTMARK_CLIENT_ID: 'api_x' });
  assert.equal(code, 0);
  assert.deepEqual(
    bad.map(({ state, detail }) => [state, detail]),
    [['warn', 'MINTMARK_PROT is no setting']],
  );
});

test('doctor finds that there is no store, and makes none', async () => {
  const folder = temporaryFolder();
  try {
    for (const dataDir of [folder, join(folder, 'typo')]) {
      const { code, out } = await mintmark(['doctor', '--json', '--data-dir', dataDir]);
      assert.equal(code, 6);
      const finding = (JSON.parse(out) as Finding[]).find(({ state }) => state === 'fail');
      assert.equal(finding?.what, 'store');
      assert.match(finding?.detail ?? '', /There is no store at .*mintmark\.db: mintmark serve/);
    }
    assert.throws(() => statSync(join(folder, 'typo')));
    assert.throws(() => statSync(join(folder, 'mintmark.db')));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('doctor finds a store without signing keys', async () => {
  using store = await testStore();
  const { code, bad } = await diagnosis(store);
  assert.equal(code, 6);
  assert.deepEqual(
    bad.map(({ what, state }) => [what, state]),
    [
      ['master key', 'warn'],
      ['signing keys', 'fail'],
    ],
  );
  await store.cli('signing-key', 'rotate');
  assert.equal((await diagnosis(store)).code, 0, 'what doctor says to do mends it');
});

test('doctor finds a store that needs a migration', async () => {
  using store = await testStore({ keys: true });
  store.sql('delete from kysely_migration');
  await assertFails(
    store,
    'store',
    new RegExp(`lacks the migrations ${MIGRATION_NAMES.join(', ')}: run mintmark migrate`),
    null,
  );
});

test('doctor finds a wrong and a missing master key', async () => {
  using store = await testStore({ keys: true });
  await assertFails(store, 'master key', /^MINTMARK_MASTER_KEY is not the key of this store$/, /right one/, {
    MINTMARK_MASTER_KEY: 'ab'.repeat(32),
  });
  const file = join(store.dataDir, 'master.key');
  const right = readFileSync(file);
  writeFileSync(file, `${'cd'.repeat(32)}\n`);
  await assertFails(store, 'master key', /master\.key is not the key of this store$/, /right one/);
  writeFileSync(file, 'no key at all');
  await assertFails(store, 'master key', /does not hold 64 hexadecimal digits/, null);
  rmSync(file);
  await assertFails(store, 'master key', /master\.key is missing$/, /from your backup/);
  writeFileSync(file, right, { mode: 0o600 });
  assert.equal((await diagnosis(store)).code, 0);
});

test('doctor finds a master key file that others can read', async () => {
  using store = await testStore({ keys: true });
  const file = join(store.dataDir, 'master.key');
  chmodSync(file, 0o640);
  await assertFails(
    store,
    'files',
    /master\.key can be read by other users/,
    new RegExp(`^chmod go= ${file}$`),
  );
  chmodSync(file, 0o600);
  assert.equal((await diagnosis(store)).code, 0);
});

test('doctor warns of a store others can read, not of ours', async () => {
  using store = await testStore({ keys: true });
  const open = join(store.dataDir, 'open');
  mkdirSync(open);
  chmodSync(open, 0o755);
  const env = { DATABASE_URL: `sqlite:${join(open, 'tokens.db')}` };
  assert.equal((await store.run(['migrate'], { env })).code, 0);
  assert.equal(statSync(join(open, 'tokens.db')).mode & 0o777, 0o600);
  copyFileSync(store.path, join(open, 'tokens.db'));
  const folderOnly = await diagnosis(store, env);
  assert.deepEqual(
    folderOnly.bad.map(({ what, state, mend }) => [what, state, mend]),
    [['files', 'warn', `chmod go= ${open}`]],
  );
  chmodSync(join(open, 'tokens.db'), 0o644);
  const { code, bad } = await diagnosis(store, env);
  assert.equal(code, 0);
  assert.equal(bad.length, 2);
  chmodSync(open, 0o700);
  assert.deepEqual((await diagnosis(store, env)).bad, [], 'nobody can enter the folder');
});

test('doctor finds that no signing key is active', async () => {
  using store = await testStore({ keys: true });
  store.sql('update signing_keys set retires_at = 1');
  await assertFails(store, 'signing keys', /^none is active$/, /^mintmark signing-key rotate --now$/);
  await store.cli('signing-key', 'rotate', '--now');
  assert.equal((await diagnosis(store)).code, 0);
});

test('doctor warns of a rotation that is due', async (t) => {
  using store = await testStore({ keys: true });
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 100_000_000 });
  const { code, bad } = await diagnosis(store, { MINTMARK_KEY_ROTATION: '86400' });
  assert.equal(code, 0);
  assert.match(bad[0]?.detail ?? '', /1 published, one active; a rotation is due/);
});

test('doctor finds a sealed key that was altered or moved', async () => {
  using store = await testStore({ keys: true });
  const [row] = store.sql('select kid, sealed_private_key as sealed from signing_keys');
  const sealed = Buffer.from(String(row?.['sealed']), 'base64url');
  sealed[40] = (sealed[40] ?? 0) ^ 1;
  store.sql('update signing_keys set sealed_private_key = ?', sealed.toString('base64url'));
  const detail = new RegExp(`^${String(row?.['kid'])} cannot be decrypted: it was changed$`);
  await assertFails(store, 'signing keys', detail, /--compromised/);
  store.sql("update signing_keys set sealed_private_key = ?, kid = 'other'", String(row?.['sealed']));
  await assertFails(store, 'signing keys', /^other cannot be decrypted/, /--compromised/);
  await store.cli('signing-key', 'rotate', '--compromised');
  assert.equal((await diagnosis(store)).code, 0, 'what doctor says to do mends it');
});

test('doctor finds issuers whose keys cannot be fetched', async () => {
  using store = await testStore({ keys: true });
  const insert =
    'insert into key_sources (kind, address, key_set, left_out, fetched_at, life_ms, tried_at, error) values (?, ?, ?, 0, ?, ?, ?, ?)';
  const [now, hour] = [Date.now(), 3_600_000];
  const sources: [string, number | null, string | null][] = [
    ['https://current.example', now, null],
    ['https://old.example', now - 2 * hour, 'https://old.example cannot be reached (ECONNREFUSED)'],
    ['https://away.example', null, 'https://away.example answered with status 404'],
  ];
  for (const [address, fetchedAt, error] of sources)
    store.sql(insert, 'issuer', address, '{"keys":[]}', fetchedAt, hour, now, error);
  const { bad } = await diagnosis(store);
  assert.deepEqual(
    bad.map(({ what, state }) => [what, state]),
    [
      ['keys of others', 'fail'],
      ['keys of others', 'warn'],
    ],
  );
  assert.match(bad[0]?.detail ?? '', /https:\/\/away\.example were never fetched: .* status 404$/);
});

test('doctor finds a damaged database', async () => {
  using store = await testStore({ keys: true });
  store.sql('pragma journal_mode = delete'); // all of it in the one file
  const bytes = readFileSync(store.path);
  const [row] = store.sql("select rootpage from sqlite_schema where name = 'credentials_client_id'");
  const page = Number(row?.['rootpage']);
  const size = pageBytesOf(store.path);
  writeFileSync(store.path, Buffer.from(bytes).fill(0xff, (page - 1) * size, page * size));
  await assertFails(store, 'store', new RegExp(`mintmark\\.db: Tree ${page} page ${page}: `), /last backup/);
  writeFileSync(store.path, Buffer.from(bytes).fill(0xff, 100, size)); // the list of the tables
  await assertFails(
    store,
    'store',
    /mintmark\.db is damaged: stop the server and restore the last backup/,
    null,
  );
});

test('doctor finds a clock that is behind the last change', async () => {
  using store = await testStore({ keys: true });
  store.sql('update changes set at = ? where n = (select max(n) from changes)', Date.now() + 600_000);
  const detail = /^\d{4}-\S+ is (599|600) s before the last change of the store$/;
  await assertFails(store, 'clock', detail, /set the clock/);
});
