import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIVE_CREDENTIALS_MAX } from '../../src/domain/credential.ts';
import { secretProblem } from '../../src/domain/secret.ts';
import { testStore, type TestStore } from '@mintmark/test-support/command-line';

interface CredentialJson {
  id: string;
  client_id: string;
  kind: string;
  state: string;
  name: string;
  created_at: string;
  expires_at: string | null;
  retired_at: string | null;
  last_used_at: string | null;
  last_used_address: string | null;
  use_count: number;
  client_secret?: string;
}

const FIELDS = [
  'id',
  'client_id',
  'kind',
  'name',
  'state',
  'created_at',
  'expires_at',
  'retired_at',
  'retire_when_quiet_from',
  'last_used_at',
  'last_used_address',
  'use_count',
  'retirement_objection',
];
const HOUR = 3_600_000;

async function apiUser(store: TestStore): Promise<string> {
  const created = ['api-user', 'create', '--name', 'Importer', '--no-secret'];
  return (await store.json<{ client_id: string }>(...created)).client_id;
}

async function secret(store: TestStore, owner: string, ...options: string[]): Promise<CredentialJson> {
  return await store.json<CredentialJson>('credential', 'create', owner, ...options);
}

async function listed(store: TestStore, owner: string): Promise<CredentialJson[]> {
  return await store.json<CredentialJson[]>('credential', 'list', owner);
}

/** As the server writes it. */
function setUsed(store: TestStore, credentialId: string, agoMs: number): void {
  store.sql(
    `insert into credential_usage (credential_id, last_used_at, last_used_address, use_count) values (?, ?, ?, 1)
     on conflict (credential_id) do update set last_used_at = excluded.last_used_at`,
    credentialId,
    Date.now() - agoMs,
    '192.0.2.7',
  );
}

/** As if it had been made so long ago: which of two is the older is told by the time. */
function setAge(store: TestStore, credentialId: string, ageMs: number): void {
  store.sql('update credentials set created_at = ? where id = ?', Date.now() - ageMs, credentialId);
}

function near(iso: string | null, ms: number): void {
  assert.ok(
    iso !== null && Math.abs(Date.parse(iso) - ms) < 60_000,
    `${iso} is not near ${new Date(ms).toISOString()}`,
  );
}

test('credential create shows a secret once with a working curl line', async () => {
  using store = await testStore();
  const owner = await apiUser(store);
  const { out, err } = await store.run(['credential', 'create', owner, '--name', 'importer, test']);
  const [, id, clientId, shown = ''] =
    /^credential {5}(\w{10})\nclient_id {6}(\S+)\nclient_secret {2}(\S+)\n$/.exec(out) ?? [];
  assert.equal(clientId, owner);
  assert.equal(secretProblem(shown), null);
  assert.match(
    err,
    new RegExp(`curl -d client_id=${owner} -d client_secret=${shown} http://localhost:8080/`),
  );
  const [credential] = await listed(store, owner);
  assert.deepEqual(Object.keys(credential ?? {}), FIELDS);
  assert.equal(credential?.id, id);
  assert.equal(credential?.name, 'importer, test');
  assert.equal(credential?.state, 'live');
  assert.equal(credential?.use_count, 0);
  assert.ok(!(await store.cli('credential', 'list', owner)).includes(shown));
});

test('credential create --json has the fields of the list and the secret', async () => {
  using store = await testStore();
  const made = await secret(store, await apiUser(store));
  assert.deepEqual(Object.keys(made), [...FIELDS, 'client_secret']);
  assert.equal(secretProblem(made.client_secret ?? ''), null);
});

test('credential create --expires-in ends it after that time', async () => {
  using store = await testStore();
  const owner = await apiUser(store);
  const before = Date.now();
  const lives: [string, number][] = [
    ['90d', 90 * 24 * HOUR],
    ['24h', 24 * HOUR],
    ['30m', HOUR / 2],
    ['10s', 10_000],
  ];
  for (const [life, ms] of lives)
    near((await secret(store, owner, '--expires-in', life)).expires_at, before + ms);
  const ended = await store.run(['credential', 'create', owner, '--expires-in', '0']);
  assert.equal(ended.code, 3);
  assert.match(ended.err, /would have expired already/);
  store.sql('update credentials set expires_at = ?', Date.now() - 1);
  assert.ok((await listed(store, owner)).every((credential) => credential.state === 'expired'));
});

test('credential create --password-stdin takes one password, and never shows it', async () => {
  using store = await testStore();
  const owner = await apiUser(store);
  const create = (stdin: string) => store.run(['credential', 'create', owner, '--password-stdin'], { stdin });
  const short = await create('short\n');
  assert.equal(short.code, 3);
  assert.match(short.err, /A password has 12 to 128 characters; this one has 5\./);
  assert.equal((await create('mms_looks like a secret\n')).code, 3);
  assert.equal((await create('aaaaaaaaaaaaaaaa\n')).code, 3);
  assert.equal((await create('')).code, 3);

  const password = 'correct horse bättery';
  const made = await create(`${password}\r\nsecond line\n`);
  assert.equal(made.code, 0, made.err);
  assert.match(made.out, /^credential {5}\w{10}\n$/);
  assert.ok(!(made.out + made.err).includes(password));
  const second = await create('another long password\n');
  assert.equal(second.code, 3);
  assert.match(second.err, /has a live password, \w{10}: retire it first/);
  const [credential] = await listed(store, owner);
  assert.equal(credential?.kind, 'password');
});

test('at most five credentials are live; ended ones do not count', async () => {
  using store = await testStore();
  const owner = await apiUser(store);
  const made: CredentialJson[] = [];
  for (let i = 0; i < LIVE_CREDENTIALS_MAX; i++) made.push(await secret(store, owner));
  const refused = await store.run(['credential', 'create', owner]);
  assert.equal(refused.code, 3);
  assert.match(refused.err, /has 5 live credentials, the most there may be: retire one of/);
  for (const { id } of made) assert.ok(refused.err.includes(id));
  assert.equal(
    (await store.run(['credential', 'reset', owner])).code,
    3,
    'a reset with overlap needs room too',
  );

  await store.cli('credential', 'retire', made[0]?.id ?? '', '--force');
  await secret(store, owner);
  store.sql('update credentials set expires_at = 1 where id = ?', made[1]?.id ?? '');
  await secret(store, owner);
  assert.equal((await store.run(['credential', 'create', owner])).code, 3);
  const reset = await store.run(['credential', 'reset', owner, '--overlap', '0', '--force']);
  assert.equal(reset.code, 0, 'a reset without overlap makes its own room');
});

test('credential retire of an unused only credential needs no force', async () => {
  using store = await testStore();
  const owner = await apiUser(store);
  const { id: credentialId } = await secret(store, owner);
  const retired = await store.json<CredentialJson>('credential', 'retire', credentialId);
  assert.equal(retired.state, 'retired');
  near(retired.retired_at, Date.now());
  assert.equal(
    await store.cli('credential', 'retire', credentialId),
    `retired  ${credentialId}\n`,
    'again changes nothing',
  );
  const [after] = await listed(store, owner);
  assert.equal(after?.retired_at, retired.retired_at);
});

test('credential retire after recent use needs force, or has exit code 4', async () => {
  using store = await testStore();
  const owner = await apiUser(store);
  const { id: credentialId } = await secret(store, owner);
  setUsed(store, credentialId, 12 * 60_000);
  const refused = await store.run(['credential', 'retire', credentialId]);
  assert.equal(refused.code, 4);
  assert.equal(refused.out, '');
  assert.match(refused.err, /was used 12 min ago from 192\.0\.2\.7\. Move its callers .* or add --force/);
  assert.equal((await listed(store, owner))[0]?.state, 'live');
  assert.equal((await store.run(['credential', 'retire', credentialId, '--force'])).code, 0);
  assert.equal((await listed(store, owner))[0]?.state, 'retired');
});

test('credential retire before the successor’s first use needs force, exit code 4', async () => {
  using store = await testStore();
  const owner = await apiUser(store);
  const old = await secret(store, owner);
  setAge(store, old.id, 48 * HOUR);
  setUsed(store, old.id, 2 * HOUR);
  const successor = await secret(store, owner);
  const refused = await store.run(['credential', 'retire', old.id]);
  assert.equal(refused.code, 4);
  assert.match(refused.err, new RegExp(`its successor ${successor.id} was never used`));
  setUsed(store, successor.id, 0);
  assert.equal((await store.run(['credential', 'retire', old.id])).code, 0);
});

test('credential reset creates a secret and ends the old after the overlap', async () => {
  using store = await testStore();
  const owner = await apiUser(store);
  const old = await secret(store, owner);
  const soon = await secret(store, owner, '--expires-in', '30m');
  setUsed(store, old.id, 0);
  const { code, out, err } = await store.run(['credential', 'reset', owner, '--overlap', '2h', '--json']);
  assert.equal(code, 0, 'an overlap breaks nobody, so it needs no force');
  const made = JSON.parse(out) as CredentialJson;
  assert.deepEqual(Object.keys(made), [...FIELDS, 'client_secret']);
  assert.equal(made.name, 'reset');
  assert.match(err, new RegExp(`The secret ${old.id} \\(secret\\) works until \\d{4}-`));
  const byId = new Map((await listed(store, owner)).map((credential) => [credential.id, credential]));
  near(byId.get(old.id)?.expires_at ?? null, Date.now() + 2 * HOUR);
  near(byId.get(soon.id)?.expires_at ?? null, Date.now() + HOUR / 2);
  assert.equal(byId.get(made.id)?.expires_at, null);
  assert.equal(byId.get(old.id)?.state, 'live');
});

test('credential reset has a one-day overlap, and optional name and expiry', async () => {
  using store = await testStore();
  const owner = await apiUser(store);
  const old = await secret(store, owner);
  const made = await store.json<CredentialJson>(
    'credential',
    'reset',
    owner,
    '--name',
    'new place',
    '--expires-in',
    '90d',
  );
  assert.equal(made.name, 'new place');
  near(made.expires_at, Date.now() + 90 * 24 * HOUR);
  const ended = (await listed(store, owner)).find(({ id }) => id === old.id);
  near(ended?.expires_at ?? null, Date.now() + 24 * HOUR);
});

test('credential reset --overlap 0 in use needs force, or exit code 4', async () => {
  using store = await testStore();
  const owner = await apiUser(store);
  const old = await secret(store, owner);
  setUsed(store, old.id, 0);
  const refused = await store.run(['credential', 'reset', owner, '--overlap', '0']);
  assert.equal(refused.code, 4);
  assert.equal(refused.out, '', 'no secret is shown');
  assert.match(refused.err, /was used less than a minute ago from 192\.0\.2\.7/);
  assert.equal((await listed(store, owner)).length, 1, 'nothing was made');
  const forced = await store.run(['credential', 'reset', owner, '--overlap', '0', '--force']);
  assert.equal(forced.code, 0);
  assert.match(forced.err, new RegExp(`The secret ${old.id} \\(secret\\) works no longer\\.`));
  assert.deepEqual((await listed(store, owner)).map(({ state }) => state).sort(), ['live', 'retired']);
});

test('credential reset --revoke-tokens warns where an old secret still gets new tokens', async () => {
  using store = await testStore();
  const owner = await apiUser(store);
  await secret(store, owner);
  const warning = /Whoever knows a secret that still works gets new tokens with it/;
  const overlapping = await store.run(['credential', 'reset', owner, '--revoke-tokens']);
  assert.match(overlapping.err, warning);
  const atOnce = ['credential', 'reset', owner, '--revoke-tokens', '--overlap', '0', '--force'];
  assert.doesNotMatch((await store.run(atOnce)).err, warning);
});

test('credential list has a heading and lines, or advice when empty', async () => {
  using store = await testStore();
  const owner = await apiUser(store);
  const none = await store.run(['credential', 'list', owner]);
  assert.equal(none.out, '');
  assert.match(none.err, new RegExp(`mintmark credential create ${owner}`));
  const { id: credentialId } = await secret(store, owner);
  setUsed(store, credentialId, 0);
  const [heading, line] = (await store.cli('credential', 'list', owner)).split('\n');
  assert.match(heading ?? '', /^CREDENTIAL +KIND +STATE +NAME +EXPIRES +LAST USED +FROM +USES$/);
  assert.match(
    line ?? '',
    new RegExp(`^${credentialId} +secret +live +secret +- +\\d{4}-.*192\\.0\\.2\\.7 +1$`),
  );
});

test('credential list --search finds a part of the name or the id', async () => {
  using store = await testStore();
  const owner = await apiUser(store);
  const id = (await secret(store, owner, '--name', 'Importer, Test')).id;
  await secret(store, owner, '--name', 'other');
  const found = async (search: string) =>
    (await store.json<{ id: string }[]>('credential', 'list', owner, '--search', search)).map(
      (credential) => credential.id,
    );
  for (const search of ['importer', ' TEST ', id]) assert.deepEqual(await found(search), [id], search);
  assert.equal((await found('')).length, (await listed(store, owner)).length);
  const none = await store.run(['credential', 'list', owner, '--search', 'nowhere']);
  assert.match(none.err, /No credential matches "nowhere"/);
});

test('a credential command on what does not exist has exit code 3', async () => {
  using store = await testStore();
  for (const verb of ['create', 'list', 'reset']) {
    const { code, err } = await store.run(['credential', verb, 'nobody']);
    assert.equal(code, 3);
    assert.match(err, /There is no API user "nobody"/);
  }
  const { code, err } = await store.run(['credential', 'retire', 'nothing']);
  assert.equal(code, 3);
  assert.match(err, /There is no credential "nothing": mintmark credential list <client id> shows all/);
  const owner = await apiUser(store);
  const unnamed = await store.run(['credential', 'create', owner, '--name', '']);
  assert.equal(unnamed.code, 3);
});
