// Test setup: own store, own limits.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { SignJWT } from 'jose';
import { testStore, type TestStore } from '@mintmark/test-support/command-line';
import { mintmark } from '@mintmark/test-support/server';

test('trust presets lists what a person fills in', async () => {
  const { code, out } = await mintmark(['trust', 'presets']);
  assert.equal(code, 0);
  assert.match(out, /^github: GitHub Actions\n {2}--field repository_id=123456\n {6}Never changes: gh api/);
  assert.match(out, /--field 'tag=v\*' {2}\(optional\)/);
  const listed = await mintmark(['trust', 'presets', '--json']);
  const names = (JSON.parse(listed.out) as { name: string }[]).map(({ name }) => name);
  assert.deepEqual(names, ['github', 'gitlab', 'kubernetes', 'aws', 'google', 'entra', 'spiffe']);
});

interface CredentialJson {
  id: string;
  client_id: string;
  kind: string;
  name: string;
  state: string;
  thumbprint?: string;
  jwks_url?: string;
  trust_rule?: Record<string, unknown>;
  notice?: string | null;
}

async function apiUser(store: TestStore): Promise<string> {
  const created = ['api-user', 'create', '--name', 'Importer', '--no-secret'];
  return (await store.json<{ client_id: string }>(...created)).client_id;
}

/** A file with the public keys of an issuer that no machine can reach. */
function keySetIn(store: TestStore): string {
  const file = join(store.dataDir, 'cluster.jwks');
  const jwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });
  writeFileSync(file, JSON.stringify({ keys: [{ ...jwk, kid: 'a', use: 'sig' }] }));
  return file;
}

test('a rule of a preset is created, listed, shown and retired', async () => {
  using store = await testStore();
  const owner = await apiUser(store);
  const fields = ['--field', 'repository_id=123456', '--field', 'tag=v*', '--field', 'events=release'];
  const preset = ['trust', 'create', owner, '--preset', 'github', ...fields, '--jwks', keySetIn(store)];
  const created = await store.run([...preset, '--name', 'release job']);
  assert.equal(created.code, 0, created.err);
  const [, id = ''] = /^credential {5}(\w{10})\n$/.exec(created.out) ?? [];
  assert.match(created.err, /It lets in any workflow of repository 123456 on tag v\*, started by release\./);
  assert.match(created.err, /for the audience http:\/\/localhost:8080\/marketing\./);

  const listed = await store.cli('trust', 'list', owner);
  assert.match(
    listed,
    new RegExp(`${id} +live +release job +https://token.actions.githubusercontent.com +- +-`),
  );
  const [rule] = await store.json<CredentialJson[]>('trust', 'list', owner);
  assert.equal(rule?.kind, 'trust');
  assert.deepEqual(rule.trust_rule?.['claims'], {
    repository_id: '123456',
    ref: { prefix: 'refs/tags/v' },
    event_name: ['release'],
  });

  const shown = await store.cli('trust', 'show', id);
  assert.match(
    shown,
    /^lets in +tokens of https:\/\/token\..* whose sub begins with "repo:" and whose .*"$/m,
  );
  assert.match(shown, /^longest life +15m$/m);
  assert.match(shown, /^keys +1 in the rule itself$/m);
  assert.equal((await store.json<CredentialJson>('trust', 'show', id)).id, id);

  assert.equal(await store.cli('trust', 'retire', id), `retired  ${id}\n`);
  assert.match(await store.cli('trust', 'list', owner), / retired /);
  const unknown = await store.run(['trust', 'show', 'AAAAAAAAAA']);
  assert.equal(unknown.code, 3);
  assert.match(unknown.err, /There is no trust rule "AAAAAAAAAA"/);
});

test('a rule of one option each has what the options say', async () => {
  using store = await testStore();
  const options =
    '--iss https://ci.example.com --sub project:importer:* --aud mintmark --claim ref=main --claim ref=release ' +
    '--claim path=a/* --claim admin:=false --claim /kubernetes.io/uid=7=8 --life 10m --reuse until-expired ' +
    '--other-audiences';
  const keys = ['--jwks', keySetIn(store)];
  const created = await store.json<CredentialJson>(
    'trust',
    'create',
    await apiUser(store),
    ...options.split(' '),
    ...keys,
  );
  const { keys: _, ...rule } = created.trust_rule ?? {};
  assert.deepEqual(rule, {
    preset: null,
    issuer: 'https://ci.example.com',
    subject: 'project:importer:*',
    audience: 'mintmark',
    other_audiences: true,
    claims: {
      ref: ['main', 'release'],
      path: { prefix: 'a/' },
      admin: false,
      '/kubernetes.io/uid': '7=8',
    },
    life_seconds_max: 600,
    reuse: 'until_expired',
  });
});

test('a rule that lets in too much needs --force', async () => {
  using store = await testStore();
  const owner = await apiUser(store);
  const github = ['--iss', 'https://token.actions.githubusercontent.com', '--sub', 'repo:octo-org/*'];
  const wide = ['trust', 'create', owner, ...github, '--jwks', keySetIn(store)];
  const refused = await store.run(wide);
  assert.equal(refused.code, 3);
  assert.match(refused.err, /exact value of repository_id or repository_owner_id/);
  assert.match(refused.err, /Forced, it lets in tokens of .* whose sub begins with "repo:octo-org\/"/);
  const forced = await store.run([...wide, '--force']);
  assert.equal(forced.code, 0, forced.err);
});

test('wrong options of a trust rule are refused with what to do', async () => {
  using store = await testStore();
  const owner = await apiUser(store);
  const file = keySetIn(store);
  const refused: [string[], number, RegExp][] = [
    [[], 3, /needs --preset, or --iss and --sub/],
    [['--iss', 'https://a.example'], 3, /needs --preset, or --iss and --sub/],
    [['--iss', 'https://a.example', '--sub', 'x', '--field', 'a=b'], 3, /--field belongs to a preset/],
    [['--preset', 'github', '--field', 'branch=main'], 3, /repository_id is missing, such as 123456/],
    [
      ['--preset', 'github', '--field', 'repository_id=me/x'],
      3,
      /"me\/x" is not of the form .* at least one of/s,
    ],
    [['--preset', 'circleci'], 2, /github/],
    [['--claim', 'ref'], 2, /Give name=value, name=prefix\* or name:=json/],
    [['--claim', 'ref=a', '--claim', 'ref=b*'], 2, /one prefix, or one of several/],
    [['--claim', 'ref:={}'], 2, /After := comes/],
    [['--reuse', 'twice'], 2, /once, until-expired/],
    [['--jwks', file, '--jwks-url', 'https://a.example'], 2, /cannot be used with/],
    [['--iss', 'https://a.example', '--sub', 'x', '--jwks', import.meta.filename], 3, /is not a key set/],
    [['--iss', 'http://a.example', '--sub', 'x*'], 3, /not a URL that begins with https.*within a name/],
  ];
  for (const [options, code, expected] of refused) {
    const run = await store.run(['trust', 'create', owner, ...options]);
    assert.equal(run.code, code, `${options.join(' ')}\n${run.err}`);
    assert.match(run.err, expected);
  }
});

test('credential create registers a public key and says what a second needs', async () => {
  using store = await testStore();
  const owner = await apiUser(store);
  const generated = async (name: string) => {
    const file = join(store.dataDir, name);
    const { out } = await store.run(['key', 'generate', `${file}.pem`]);
    writeFileSync(`${file}.pub.pem`, out);
    return file;
  };
  const first = await generated('first');
  const { code, out, err } = await store.run([
    'credential',
    'create',
    owner,
    '--public-key',
    `${first}.pub.pem`,
  ]);
  assert.equal(code, 0, err);
  assert.match(out, new RegExp(`^credential {5}\\w{10}\nclient_id {6}${owner}\nthumbprint {5}[\\w-]{43}\n$`));
  assert.equal(err, '');

  const second = await generated('second');
  const created = ['credential', 'create', owner, '--public-key', `${second}.pub.pem`, '--name', 'new'];
  const { kind, notice } = await store.json<CredentialJson>(...created);
  assert.equal(kind, 'key');
  assert.match(notice ?? '', /must send kid/);

  const leaked = await store.run(['credential', 'create', owner, '--public-key', `${second}.pem`]);
  assert.equal(leaked.code, 3);
  assert.match(leaked.err, /This is a private key\. Treat it as leaked/);
  const plain = await store.run(['credential', 'create', owner, '--jwks-url', 'http://a.example/keys']);
  assert.equal(plain.code, 3);
  assert.match(plain.err, /is not a URL that begins with https/);
  const all = await store.json<CredentialJson[]>('credential', 'list', owner);
  assert.deepEqual(
    all.map((each) => each.name),
    ['key', 'new'],
  );
});

test('trust check says why each rule refuses a token, and keeps nothing', async () => {
  using store = await testStore();
  const owner = await apiUser(store);
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const file = join(store.dataDir, 'issuer.jwks');
  writeFileSync(file, JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'a' }] }));
  const rule = [
    '--iss',
    'https://ci.example.com',
    '--sub',
    'project:importer',
    '--aud',
    'mintmark',
    '--jwks',
    file,
  ];
  const { id } = await store.json<CredentialJson>('trust', 'create', owner, ...rule, '--claim', 'ref=main');
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: 'https://ci.example.com', sub: 'project:importer', aud: 'mintmark', ref: 'main' };
  const token = async (changes: object = {}, header: object = {}, key = privateKey) =>
    await new SignJWT({ ...claims, iat: now, exp: now + 300, ...changes })
      .setProtectedHeader({ alg: 'ES256', kid: 'a', ...header })
      .sign(key);
  const check = async (stdin: string, ...options: string[]) =>
    await store.run(['trust', 'check', owner, ...options], { stdin });

  const good = await token();
  for (const stdin of [good, `${good}\n`]) {
    const { code, out } = await check(stdin);
    assert.deepEqual([code, out], [0, `${id} (trust rule) lets it in\n`]);
  }
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const refused: [string, RegExp][] = [
    [
      await token({ iss: 'https://other.example' }),
      /issuer: expected "https:\/\/ci\.example\.com", actual "https:/,
    ],
    [await token({ ref: 'dev' }), /claim ref: expected "main", actual "dev"/],
    [await token({ exp: now - 60 }), /expired: expected later than/],
    [await token({}, {}, stranger), /signature: expected the signature of the key "a"/],
    [await token({}, { kid: 'b' }), /key: expected a key of the issuer, actual the kid "b"/],
    [await token({}, { typ: 'at+jwt' }), /header: expected no typ, JWT or/],
  ];
  for (const [stdin, expected] of refused) {
    const { code, out, err } = await check(stdin);
    assert.deepEqual([code, err], [6, 'mintmark: No rule lets the token in.\n']);
    assert.match(out, expected);
  }
  const none = await check('hello');
  assert.deepEqual([none.code, none.out], [6, '']);
  assert.match(none.err, /The text is not a JWT/);

  const { out } = await check(await token({ ref: 'dev' }), '--json');
  const failed = { check: 'claim', name: 'ref', expected: '"main"', actual: '"dev"' };
  assert.deepEqual(JSON.parse(out), {
    passes: false,
    problem: null,
    issuer: claims.iss,
    rules: [{ credential_id: id, name: 'trust rule', issuer: claims.iss, passes: false, failed }],
  });
  assert.ok(!JSON.stringify(store.sql('select * from audit')).includes(good.slice(-20)));
});
