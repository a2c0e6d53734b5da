import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testStore } from '@mintmark/test-support/command-line';

// Organisations and audiences on the command line.

interface Organisation {
  id: string;
  name: string;
  enabled: boolean;
  policy: Record<string, unknown>;
  claims: Record<string, unknown>;
}

const AGENCY = ['organisation', 'create', '--name', 'Agency', '--scope', 'a,b'];

test('an organisation gets its policy and claims from options', async () => {
  using store = await testStore();
  const bounds = ['--audience', 'https://api.example/', '--kind', 'secret,key', '--credential-days', '90'];
  const limits = ['--api-users', '3', '--api-user-limit', '60', '--limit', '200', '--quota-hour', '1000'];
  const rest = [
    '--quota-mode',
    'enforce',
    '--allow-network',
    '10.0.0.0/8',
    '--second-factor',
    '--violations',
    'end',
  ];
  const claims = ['--claim', 'tier=gold', '--claim', 'level:=3', '--token-life', '300'];
  const made = await store.json<Organisation>(...AGENCY, ...bounds, ...limits, ...rest, ...claims);
  assert.deepEqual(made.policy, {
    scopes: ['a', 'b'],
    audiences: ['https://api.example/'],
    credential_kinds: ['secret', 'key'],
    credential_days_max: 90,
    api_users_max: 3,
    api_user_limit_max: 60,
    limit_per_minute: 200,
    quota: { mode: 'enforce', tokens_per_hour: 1000, tokens_per_day: null },
    token_life_seconds: 300,
    allowed_networks: ['10.0.0.0/8'],
    second_factor_required: true,
    trust_issuers: [],
    introspects_all: false,
    violations: 'end',
  });
  assert.deepEqual(made.claims, { tier: 'gold', level: 3 });
  const changes = [
    '--quota-day',
    '5000',
    '--limit',
    '0',
    '--no-second-factor',
    '--no-claim',
    '--contact',
    'ops',
  ];
  const changed = await store.json<Organisation>('organisation', 'update', made.id, ...changes);
  assert.deepEqual(changed.policy, {
    ...made.policy,
    limit_per_minute: null,
    quota: { mode: 'enforce', tokens_per_hour: 1000, tokens_per_day: 5000 },
    second_factor_required: false,
  });
  assert.deepEqual(changed.claims, {});
  assert.deepEqual(await store.json('organisation', 'show', made.id), changed);
  const listed = await store.json<Organisation[]>('organisation', 'list', '--search', 'OPS');
  assert.deepEqual(listed, [{ ...changed, api_users: 0, members: 0 }]);
});

test('a scope of the admin API is refused in a policy', async () => {
  using store = await testStore();
  const { code, err } = await store.run([...AGENCY, '--scope', 'mintmark:admin']);
  assert.equal(code, 3);
  assert.match(err, /The scope mintmark:admin is for API users of the platform only/);
});

test('API users are created in an organisation and moved between them', async () => {
  using store = await testStore();
  const [one, two] = [await store.json<Organisation>(...AGENCY), await store.json<Organisation>(...AGENCY)];
  const create = ['api-user', 'create', '--name', 'Importer', '--scope', 'a', '--claim', 'shop=7'];
  const user = await store.json<{ client_id: string; organisation_id: string; claims: object }>(
    ...create,
    '--organisation',
    one.id,
  );
  assert.deepEqual([user.organisation_id, user.claims], [one.id, { shop: '7' }]);
  const refused = await store.run([...create, '--scope', 'c', '--organisation', one.id]);
  assert.equal(refused.code, 3);
  assert.match(refused.err, /does not allow the scope c: remove it/);
  const moved = await store.cli('api-user', 'move', '--organisation', one.id, '--to', two.id);
  assert.equal(moved.trim(), `moved      ${user.client_id}`);
  const listed = await store.json<{ client_id: string }[]>('api-user', 'list', '--organisation', two.id);
  assert.deepEqual(
    listed.map((each) => each.client_id),
    [user.client_id],
  );
  const credentials = await store.json<{ state: string }[]>('credential', 'list', user.client_id);
  assert.deepEqual(
    credentials.map(({ state }) => state),
    [],
  );
  const entries = store.sql(
    `select organisation_id, before, after from audit where action = 'api_user.move' order by n`,
  );
  // Each organisation reads its own entry, which does not name the other.
  const ids = (text: unknown) => (JSON.parse(String(text)) as { organisation_id?: string }).organisation_id;
  assert.deepEqual(
    entries.map(({ organisation_id: id, before, after }) => [id, ids(before), ids(after)]),
    [
      [one.id, one.id, undefined],
      [two.id, undefined, two.id],
    ],
  );
  const full = await store.run(['organisation', 'delete', two.id]);
  assert.match(full.err, /has 1 API user: move or delete them first/);
  await store.cli('api-user', 'move', user.client_id, '--to-platform');
  assert.equal((await store.cli('organisation', 'delete', two.id)).trim(), `deleted  ${two.id}`);
});

test('violations of a stricter policy are listed', async () => {
  using store = await testStore();
  const { id } = await store.json<Organisation>(...AGENCY);
  const create = ['api-user', 'create', '--name', 'Importer', '--scope', 'a,b', '--organisation', id];
  const { client_id: clientId } = await store.json<{ client_id: string }>(...create);
  await store.cli('organisation', 'update', id, '--scope', 'a', '--api-users', '0');
  const violations = await store.json<{ client_id: string | null; member: string }[]>(
    'organisation',
    'violations',
    id,
  );
  assert.deepEqual(
    violations.map((each) => [each.client_id, each.member]),
    [
      [null, 'api_users_max'],
      [clientId, 'scopes'],
    ],
  );
});

test('exported organisations are imported elsewhere, once', async () => {
  using from = await testStore();
  using to = await testStore();
  await from.json(...AGENCY, '--external-id', 'crm-1', '--claim', 'tier=gold');
  const { id } = await from.json<Organisation>(...AGENCY, '--limit', '10');
  await from.cli('organisation', 'disable', id);
  await from.json('api-user', 'create', '--name', 'Importer', '--scope', 'a', '--organisation', id);
  const lines = await from.cli('organisation', 'export');
  const outcomes = async (args: string[], stdin: string) => {
    const { out } = await to.run(args, { stdin });
    return out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  const load = ['organisation', 'import'];
  const users = await from.cli('api-user', 'export');
  const [early] = await outcomes(['api-user', 'import'], users);
  assert.deepEqual(early?.['errors'], [
    { pointer: '/organisation_id', detail: `There is no organisation "${id}".` },
  ]);
  const kinds = async (args: string[]) => (await outcomes(args, lines)).map(({ outcome }) => outcome);
  assert.deepEqual(await kinds([...load, '--dry-run']), ['would_make', 'would_make']);
  assert.deepEqual(await kinds(load), ['made', 'made']);
  assert.deepEqual(await kinds(load), ['exists', 'exists']);
  assert.equal(await to.cli('organisation', 'export'), lines);
  const [made] = await outcomes(['api-user', 'import'], users);
  assert.equal(made?.['outcome'], 'made', JSON.stringify(made));
  assert.equal(await to.cli('api-user', 'export'), users);
});

test('faulty lines of organisations are refused with all faults', async () => {
  using store = await testStore();
  const lines = [
    { name: 'No id' },
    { name: 'Shape', external_id: 'x', policy: { scopes: 'a', quota: { mode: 'no' } }, more: 1 },
    { id: 'org_short', name: 'Values', policy: { scopes: ['mintmark:read'] }, claims: { exp: 1 } },
  ];
  const stdin = lines.map((line) => JSON.stringify(line)).join('\n');
  const { code, out } = await store.run(['organisation', 'import'], { stdin });
  assert.equal(code, 3);
  const pointers = out
    .trim()
    .split('\n')
    .map((line) =>
      (JSON.parse(line) as { errors: { pointer: string }[] }).errors.map(({ pointer }) => pointer),
    );
  assert.deepEqual(pointers[0], ['/external_id']);
  assert.deepEqual(pointers[1]?.toSorted(), [
    '/more',
    '/policy/quota/mode',
    '/policy/quota/tokens_per_day',
    '/policy/quota/tokens_per_hour',
    '/policy/scopes',
  ]);
  assert.deepEqual(pointers[2]?.toSorted(), ['/claims/exp', '/id', '/policy/scopes']);
});

test('the settings of an audience are set, shown and removed', async () => {
  using store = await testStore();
  const audience = 'https://api.example/';
  await store.cli('audience', 'set', audience, '--claim', 'tier=gold');
  const set = await store.json('audience', 'set', audience, '--token-life', '300');
  assert.deepEqual([set['claims'], set['token_life_seconds']], [{ tier: 'gold' }, 300]);
  assert.deepEqual(await store.json('audience', 'list'), [set]);
  await store.cli('audience', 'set', audience, '--no-claim', '--token-life', '0');
  const { code } = await store.run(['audience', 'show', audience]);
  assert.equal(code, 3);
});
