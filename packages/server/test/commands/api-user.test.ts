import assert from 'node:assert/strict';
import { test } from 'node:test';
import { secretProblem } from '../../src/domain/secret.ts';
import { testStore, type TestStore } from '@mintmark/test-support/command-line';

interface ApiUserJson {
  client_id: string;
  name: string;
  enabled: boolean;
  username: string | null;
  external_id: string | null;
  contact: string | null;
  scopes: string[];
  audiences: string[];
  limit_per_minute: number | null;
  allowed_networks: string[];
  created_at: string;
  updated_at: string;
  version: number;
  credential_id?: string;
  client_secret?: string;
}

const FIELDS = [
  'client_id',
  'organisation_id',
  'name',
  'enabled',
  'username',
  'external_id',
  'contact',
  'scopes',
  'audiences',
  'limit_per_minute',
  'allowed_networks',
  'claims',
  'token_life_seconds',
  'created_at',
  'updated_at',
  'version',
];

/** What a list adds: as the admin API has it. */
const LISTED_FIELDS = [...FIELDS, 'organisation_name', 'last_used_at', 'live_credentials', 'next_expiry_at'];

const ALL_OPTIONS = [
  '--name',
  'Importer, production',
  '--username',
  'importer@example.com',
  '--external-id',
  'crm 17',
  '--contact',
  'data team',
  '--scope',
  'campaigns:read campaigns:manage',
  '--scope',
  'audiences:read',
  '--audience',
  'https://api.example.com',
  '--audience',
  'https://other.example.com',
  '--limit',
  '60',
  '--allow-network',
  '192.0.2.0/24',
  '--allow-network',
  '2001:db8::/32',
];

async function createdId(store: TestStore, ...options: string[]): Promise<string> {
  return (await store.json<ApiUserJson>('api-user', 'create', '--name', 'Importer', ...options)).client_id;
}

test('api-user create keeps every option and shows the secret once', async () => {
  using store = await testStore();
  const created = await store.json<ApiUserJson>('api-user', 'create', ...ALL_OPTIONS);
  const { credential_id, client_secret, ...user } = created;
  assert.match(user.client_id, /^api_[0-9A-Za-z]{20}$/);
  assert.equal(secretProblem(client_secret ?? ''), null);
  assert.equal(client_secret?.split('_')[1], credential_id);
  assert.deepEqual(Object.keys(user), FIELDS);
  assert.deepEqual(
    { ...user, client_id: '', created_at: '', updated_at: '' },
    {
      client_id: '',
      organisation_id: null,
      name: 'Importer, production',
      enabled: true,
      username: 'importer@example.com',
      external_id: 'crm 17',
      contact: 'data team',
      scopes: ['campaigns:read', 'campaigns:manage', 'audiences:read'],
      audiences: ['https://api.example.com', 'https://other.example.com'],
      limit_per_minute: 60,
      allowed_networks: ['192.0.2.0/24', '2001:db8::/32'],
      claims: {},
      token_life_seconds: null,
      created_at: '',
      updated_at: '',
      version: 1,
    },
  );
  assert.match(user.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const shown = await store.json<ApiUserJson>('api-user', 'show', user.client_id);
  assert.deepEqual(shown, user, 'as it was made, without the secret');
  assert.deepEqual(await store.json('api-user', 'show', 'IMPORTER@example.com'), user, 'by username too');
});

test('api-user create has defaults: no scope, the standard limit, any address', async () => {
  using store = await testStore();
  const out = await store.cli('api-user', 'show', await createdId(store));
  for (const line of [/^scopes +-$/m, /^limit +default$/m, /^networks +any$/m, /^state +enabled$/m]) {
    assert.match(out, line);
  }
});

test('api-user create --no-secret makes no credential and says how to make one', async () => {
  using store = await testStore();
  const { out, err } = await store.run(['api-user', 'create', '--name', 'Importer', '--no-secret']);
  const [, clientId = ''] = /^client_id +(\S+)\n$/.exec(out) ?? [];
  assert.match(err, new RegExp(`mintmark credential create ${clientId}`));
  assert.deepEqual(await store.json('credential', 'list', clientId), []);
  const asJson = await store.json<ApiUserJson>('api-user', 'create', '--name', 'Other', '--no-secret');
  assert.deepEqual(Object.keys(asJson), FIELDS);
});

test('impossible api-user settings are refused with exit code 3 and advice', async () => {
  using store = await testStore();
  await createdId(store, '--username', 'taken@example.com');
  const wrong: [string[], RegExp][] = [
    [['--name', ' '], /The name is empty: give one\./],
    [['--name', 'x'.repeat(201)], /longer than 200 characters/],
    [['--name', 'a\nb'], /control character/],
    [['--username', 'a b'], /"a b" must have 3 to 254 characters and no white space/],
    [['--username', 'api_something'], /"api_something" begins with api_/],
    [['--username', 'TAKEN@example.com'], /"TAKEN@example.com" belongs to api_\w+: choose another/],
    [['--scope', 'a"b'], /a"b/],
    [['--scope', 'a', '--scope', 'a'], /scopes is given twice/],
    [['--audience', 'not a uri'], /audiences are wrong/],
    [
      ['--allow-network', '192.0.2.0/33'],
      /"192\.0\.2\.0\/33" has a prefix length that is not between 0 and 32/,
    ],
    [['--allow-network', 'example.com'], /"example\.com" is not an IP address or a network such as/],
    [['--limit', '1000001'], /1000001 is not a whole number of calls a minute from 1 to 1000000/],
  ];
  for (const [options, expected] of wrong) {
    const name = options.includes('--name') ? [] : ['--name', 'Importer'];
    const { code, out, err } = await store.run(['api-user', 'create', ...name, ...options]);
    assert.equal(code, 3, `${options.join(' ')}: ${err}`);
    assert.equal(out, '');
    assert.match(err, expected);
    assert.doesNotMatch(err, / at .*\.ts/);
  }
  assert.equal((await store.json<unknown[]>('api-user', 'list')).length, 1, 'nothing was made');
});

test('api-user list goes page by page in the order of the ids', async () => {
  using store = await testStore();
  const none = await store.run(['api-user', 'list']);
  assert.equal(none.out, '');
  assert.match(none.err, /mintmark api-user create --name/);
  assert.deepEqual(await store.json('api-user', 'list'), []);

  const ids: string[] = [];
  for (let i = 0; i < 5; i++) ids.push(await createdId(store));
  ids.sort();
  const page = await store.run(['api-user', 'list', '--limit', '2']);
  assert.match(page.err, new RegExp(`More: mintmark api-user list --after ${ids[1]}`));
  assert.match(page.out, /^CLIENT ID +STATE +NAME +LAST USED +SCOPES\n/);
  const rest = await store.json<ApiUserJson[]>('api-user', 'list', '--after', ids[1] ?? '', '--limit', '3');
  assert.deepEqual(
    rest.map((user) => user.client_id),
    ids.slice(2),
  );
  assert.deepEqual(Object.keys(rest[0] ?? {}), LISTED_FIELDS);
});

test('api-user list --search finds a part of name, id, username or contact', async () => {
  using store = await testStore();
  const importer = await createdId(store, '--username', 'Importer@Example.com', '--contact', 'Data Team');
  const reports = (
    await store.json<ApiUserJson>('api-user', 'create', '--name', 'Großes 100%_Report', '--no-secret')
  ).client_id;
  const found = async (search: string, ...options: string[]) =>
    (await store.json<ApiUserJson[]>('api-user', 'list', '--search', search, ...options)).map(
      (user) => user.client_id,
    );
  const both = [importer, reports].toSorted();
  for (const search of ['importer', 'EXAMPLE.COM', 'data t', importer, importer.slice(8)]) {
    assert.deepEqual(await found(search), [importer], search);
  }
  for (const search of ['100%_', 'großes', ' report '])
    assert.deepEqual(await found(search), [reports], search);
  for (const search of ['', '  ', 'api_']) assert.deepEqual(await found(search), both, search);
  assert.deepEqual(await found('%'), [reports], 'a wildcard of SQL is a character');
  for (const search of ["'", '\\']) assert.deepEqual(await found(search), [], search);
  const page = await store.run(['api-user', 'list', '--search', 'api_', '--limit', '1']);
  assert.match(page.err, new RegExp(`More: mintmark api-user list --search api_ --after ${both[0]}`));
  assert.deepEqual(await found('api_', '--after', both[0] ?? ''), [both[1]]);
  const none = await store.run(['api-user', 'list', '--search', 'nowhere']);
  assert.deepEqual([none.code, none.out], [0, '']);
  assert.match(none.err, /No API user matches "nowhere"/);
});

test('api-user list shows the last use, as a table and in JSON', async () => {
  using store = await testStore();
  const used = await store.json<ApiUserJson>('api-user', 'create', '--name', 'Used');
  await store.json('api-user', 'create', '--name', 'Unused', '--no-secret');
  const at = Date.UTC(2026, 2, 1, 12);
  store.sql(
    'insert into credential_usage (credential_id, last_used_at, last_used_address, use_count) values (?, ?, ?, 7)',
    used.credential_id ?? '',
    at,
    '192.0.2.7',
  );
  const listed = await store.json<(ApiUserJson & Record<string, unknown>)[]>('api-user', 'list');
  const byName = new Map(listed.map((user) => [user.name, user]));
  assert.equal(byName.get('Used')?.['last_used_at'], '2026-03-01T12:00:00.000Z');
  assert.equal(byName.get('Used')?.['live_credentials'], 1);
  assert.equal(byName.get('Unused')?.['last_used_at'], null);
  assert.equal(byName.get('Unused')?.['live_credentials'], 0);
  const out = await store.cli('api-user', 'list');
  assert.match(out, /enabled +Used +2026-03-01T12:00:00\.000Z/);
  assert.match(out, /enabled +Unused +-/);
});

test('api-user update changes only what is given; an empty value removes', async () => {
  using store = await testStore();
  const {
    client_secret: _,
    credential_id: __,
    ...user
  } = await store.json<ApiUserJson>('api-user', 'create', ...ALL_OPTIONS);
  const update = (...options: string[]) =>
    store.json<ApiUserJson>('api-user', 'update', user.client_id, ...options);
  const same = (changed: ApiUserJson) => ({
    ...changed,
    updated_at: user.updated_at,
    version: user.version,
  });

  assert.deepEqual(same(await update('--name', 'Other')), { ...user, name: 'Other' });
  assert.deepEqual(same(await update('--name', user.name, '--limit', '7')), { ...user, limit_per_minute: 7 });
  assert.deepEqual(same(await update('--limit', '0')), { ...user, limit_per_minute: null });
  const emptied = await update(
    '--username',
    '',
    '--contact',
    '',
    '--scope',
    '',
    '--audience',
    '',
    '--allow-network',
    '',
  );
  assert.deepEqual(same(emptied), {
    ...user,
    limit_per_minute: null,
    username: null,
    contact: null,
    scopes: [],
    audiences: [],
    allowed_networks: [],
  });
  const refused = await store.run(['api-user', 'update', user.client_id, '--name', '']);
  assert.equal(refused.code, 3);
});

test('api-user disable and enable say what holds now, and take a username', async () => {
  using store = await testStore();
  await createdId(store, '--username', 'importer@example.com');
  const disabled = await store.run(['api-user', 'disable', 'importer@example.com', '--json']);
  assert.equal((JSON.parse(disabled.out) as ApiUserJson).enabled, false);
  assert.match(disabled.err, /Tokens that it has already stay good until they expire/);
  assert.match(await store.cli('api-user', 'list'), /disabled {2}Importer/);
  const enabled = await store.json<ApiUserJson>('api-user', 'enable', 'importer@example.com');
  assert.equal(enabled.enabled, true);
});

test('api-user delete removes its credentials too, and frees the username', async () => {
  using store = await testStore();
  const clientId = await createdId(store, '--username', 'importer@example.com');
  assert.deepEqual(await store.json('api-user', 'delete', clientId), { deleted: clientId });
  assert.deepEqual(store.sql('select id from credentials'), []);
  const again = await createdId(store, '--username', 'importer@example.com');
  assert.equal(await store.cli('api-user', 'delete', again), `deleted  ${again}\n`);
});

test('a command on an unknown API user has exit code 3', async () => {
  using store = await testStore();
  for (const verb of ['show', 'update', 'disable', 'enable', 'delete']) {
    const { code, out, err } = await store.run(['api-user', verb, 'nobody']);
    assert.equal(code, 3, verb);
    assert.equal(out, '');
    assert.equal(err, 'mintmark: There is no API user "nobody": mintmark api-user list shows all.\n');
  }
});
