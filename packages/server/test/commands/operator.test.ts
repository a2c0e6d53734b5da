import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { testStore } from '@mintmark/test-support/command-line';
import { assertNowhere, startServer } from '@mintmark/test-support/server';

interface Shown {
  id: string;
  email: string;
  role: string;
  state: string;
  second_factor: boolean;
  created_at: string;
  last_seen_at: string | null;
}

interface Invited {
  operator: Shown;
  invitation_url: string;
  expires_at: string;
}

const ADA = ['--email', 'ada@example.com', '--role', 'admin'];
const PASSWORD = 'four odd wombats sing';

function tokenOf(url: string): string {
  return new URL(url).hash.slice(1);
}

test('operator create prints a link once, of which the store keeps the digest only', async () => {
  using store = await testStore();
  const env = { MINTMARK_ISSUER: 'https://auth.example.com/marketing', MINTMARK_INVITATION_LIFE: '3600' };
  const { code, out } = await store.run(['operator', 'create', ...ADA, '--json'], { env });
  assert.equal(code, 0);
  const { operator, invitation_url: url, expires_at: expiresAt } = JSON.parse(out) as Invited;
  assert.match(url, /^https:\/\/auth\.example\.com\/console\/welcome#mmi_[0-9A-Za-z]{43}$/);
  const lifeSeconds = (Date.parse(expiresAt) - Date.parse(operator.created_at)) / 1000;
  assert.equal(lifeSeconds, 3600);
  assert.deepEqual(
    { ...operator, id: '', created_at: '' },
    {
      id: '',
      email: 'ada@example.com',
      role: 'admin',
      state: 'invited',
      second_factor: false,
      created_at: '',
      last_seen_at: null,
    },
  );
  assertNowhere([tokenOf(url)], '', store.dataDir);
  const digest = createHash('sha256').update(tokenOf(url)).digest('base64url');
  assert.equal(store.sql('select digest from invitations')[0]?.['digest'], digest);
  assert.deepEqual(await store.json('operator', 'list'), [operator]);
});

test('operator create with a password makes an active operator, and stores argon2id of the password', async () => {
  using store = await testStore();
  const args = ['operator', 'create', ...ADA, '--password-stdin', '--json'];
  const { code, out, err } = await store.run(args, { stdin: `${PASSWORD}\n` });
  assert.equal(code, 0, err);
  assert.equal((JSON.parse(out) as Shown).state, 'active');
  assertNowhere([PASSWORD], out + err, store.dataDir);
  assert.match(
    String(store.sql('select password_hash from operators')[0]?.['password_hash']),
    /^\$argon2id\$/,
  );
});

test('a password that is short, common, a variation of a common one, or the e-mail address is refused', async () => {
  using store = await testStore();
  for (const [password, why] of [
    ['short pass', /12 to 128 characters; this one has 10/],
    ['password1234', /guessers try first/],
    ['P@ssw0rd12345', /guessers try first/],
    ['qwertyuiop12', /guessers try first/],
    ['letmeinletmein', /guessers try first/],
    ['unbelievable', /guessers try first/],
    ['example123456', /guessers try first/],
    ['mintmark2026', /guessers try first/],
    ['zw7!ada@example.com!q9k', /holds the e-mail address/],
  ] as const) {
    const { code, err } = await store.run(['operator', 'create', ...ADA, '--password-stdin'], {
      stdin: `${password}\n`,
    });
    assert.equal(code, 3, password);
    assert.match(err, why);
    assert.ok(!err.includes(password));
  }
  assert.deepEqual(await store.json('operator', 'list'), []);
});

test('an e-mail address that is none, or is taken in whatever letter case, is refused', async () => {
  using store = await testStore();
  await store.cli('operator', 'create', ...ADA);
  for (const [email, why] of [
    ['ada', /"ada" is not an e-mail address/],
    ['a b@example.com', /not an e-mail address/],
    ['<img src=x>@example.com', /not an e-mail address/],
    ['ADA@example.com', /already/],
  ] as const) {
    const { code, err } = await store.run(['operator', 'create', '--email', email, '--role', 'viewer']);
    assert.equal(code, 3);
    assert.match(err, why);
  }
  const { code, err } = await store.run(['operator', 'create', '--email', 'x@example.com', '--role', 'root']);
  assert.equal(code, 2);
  assert.match(err, /viewer, operator, admin/);
});

test('operator invite makes a new link in place of the old one, until there is a password', async () => {
  using store = await testStore();
  const first = await store.json<Invited>('operator', 'create', ...ADA);
  const second = await store.json<Invited>('operator', 'invite', 'ADA@example.com');
  assert.notEqual(first.invitation_url, second.invitation_url);
  assert.equal(store.sql('select digest from invitations').length, 1);
  const args = ['operator', 'create', '--email', 'bob@example.com', '--role', 'viewer', '--password-stdin'];
  await store.run(args, { stdin: `${PASSWORD}\n` });
  const { code, err } = await store.run(['operator', 'invite', 'bob@example.com']);
  assert.equal(code, 3);
  assert.match(err, /has a password already: a reset takes it away/);
});

test('operator reset takes the password away and prints a link, of the last admin too', async () => {
  using store = await testStore();
  await store.run(['operator', 'create', ...ADA, '--password-stdin'], { stdin: `${PASSWORD}\n` });
  const { operator } = await store.json<Invited>('operator', 'reset', 'ada@example.com');
  assert.equal(operator.state, 'invited');
  assert.equal(store.sql('select password_hash from operators')[0]?.['password_hash'], null);
});

test('the last admin who has a password can neither be demoted nor removed, another one can', async () => {
  using store = await testStore();
  await store.run(['operator', 'create', ...ADA, '--password-stdin'], { stdin: `${PASSWORD}\n` });
  await store.cli('operator', 'create', '--email', 'invited@example.com', '--role', 'admin');
  for (const args of [
    ['operator', 'remove', 'ada@example.com'],
    ['operator', 'update', 'ada@example.com', '--role', 'operator'],
  ]) {
    const { code, err } = await store.run(args);
    assert.equal(code, 3);
    assert.match(err, /ada@example\.com is the last admin/);
  }
  const bob = ['--email', 'bob@example.com', '--role', 'admin', '--password-stdin'];
  await store.run(['operator', 'create', ...bob], { stdin: `${PASSWORD}\n` });
  const demoted = await store.json<Shown>('operator', 'update', 'ada@example.com', '--role', 'viewer');
  assert.equal(demoted.role, 'viewer');
  await store.cli('operator', 'remove', 'ada@example.com');
  const left = await store.json<Shown[]>('operator', 'list');
  assert.deepEqual(left.map(({ email }) => email).toSorted(), ['bob@example.com', 'invited@example.com']);
});

test('an operator that does not exist is refused by every command with what to do', async () => {
  using store = await testStore();
  for (const args of [['invite'], ['reset'], ['update', '--role', 'viewer'], ['remove']]) {
    const [verb = '', ...rest] = args;
    const { code, err } = await store.run(['operator', verb, 'nobody@example.com', ...rest]);
    assert.equal(code, 3);
    assert.match(err, /There is no operator "nobody@example\.com": mintmark operator list/);
  }
});

test('operator list --search finds a part of the e-mail address', async () => {
  using store = await testStore();
  const ids: string[] = [];
  for (const email of ['Ada@example.com', 'grace_h@example.com']) {
    const { operator } = await store.json<{ operator: { id: string } }>(
      'operator',
      'create',
      '--email',
      email,
      '--role',
      'viewer',
    );
    ids.push(operator.id);
  }
  const found = async (search: string) =>
    (
      await store.json<{ id: string; last_seen_at: string | null }[]>('operator', 'list', '--search', search)
    ).map(({ id }) => id);
  assert.deepEqual(await found('ADA'), [ids[0]]);
  assert.deepEqual(await found('e_h@'), [ids[1]]);
  assert.deepEqual(await found('%'), []);
  assert.deepEqual(await found('example.com'), ids.toSorted());
  const page = await store.run(['operator', 'list', '--search', 'example.com', '--limit', '1']);
  assert.match(page.err, /More: mintmark operator list --search example\.com --after \w+/);
  assert.match((await store.run(['operator', 'list', '--search', 'x y'])).err, /No operator matches "x y"/);
});

test('security 18: a start without operators prints a link for the first admin, in place of that of the start before', async () => {
  await using first = await startServer();
  const [, url = ''] = /chooses a password with this link.*\n\n {2}(\S+)/.exec(first.output()) ?? [];
  assert.match(url, new RegExp(`^http://localhost:${first.port}/console/welcome#mmi_[0-9A-Za-z]{43}$`));
  await first.stop();
  const second = await startServer({ dataDir: first.dataDir });
  const [, again = ''] = /chooses a password with this link.*\n\n {2}(\S+)/.exec(second.output()) ?? [];
  assert.notEqual(tokenOf(url), tokenOf(again));
  await second.stop();
  const off = await startServer({ dataDir: first.dataDir, env: { MINTMARK_FIRST_ADMIN_LINK: '0' } });
  assert.doesNotMatch(off.output(), /console\/welcome/);
  await off.cli('operator', 'create', ...ADA);
  await off.stop();
  const last = await startServer({ dataDir: first.dataDir });
  assert.doesNotMatch(last.output(), /console\/welcome/, 'there is an operator');
  await last.stop();
});
