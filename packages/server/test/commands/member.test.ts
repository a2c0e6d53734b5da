import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testStore } from '@mintmark/test-support/command-line';
import { assertNowhere } from '@mintmark/test-support/server';

interface Member {
  id: string;
  email: string;
  role: string;
  state: string;
}

const GRACE = ['--email', 'grace@agency.example', '--role', 'admin'];

test('member invite prints a link, and list, role and remove work', async () => {
  using store = await testStore();
  const { id } = await store.json<{ id: string }>('organisation', 'create', '--name', 'Agency');
  const env = { MINTMARK_ISSUER: 'https://auth.example.com/marketing' };
  const { code, out } = await store.run(['member', 'invite', id, ...GRACE, '--json'], { env });
  assert.equal(code, 0);
  const { member, invitation_url: url } = JSON.parse(out) as { member: Member; invitation_url: string };
  assert.match(url, /^https:\/\/auth\.example\.com\/portal\/welcome#mmi_[0-9A-Za-z]{43}$/);
  assertNowhere([new URL(url).hash.slice(1)], '', store.dataDir);
  assert.deepEqual(await store.json('member', 'list', id), [member]);
  const again = await store.run(['member', 'invite', id, ...GRACE]);
  assert.match(again.err, /grace@agency\.example joins: it works once/);
  const table = await store.run(['member', 'list', id]);
  assert.match(table.out, /invited {2}- +grace@agency\.example/);
  const missing = await store.run(['member', 'role', id, 'grace@agency.example', '--role', 'member']);
  assert.equal(missing.code, 3);
  assert.match(missing.err, /has no member/);
  const removed = await store.run(['member', 'remove', id, 'GRACE@agency.example']);
  assert.equal(removed.out.trim(), `removed  ${member.id}`);
  assert.deepEqual(await store.json('member', 'list', id), []);
});

test('member commands refuse an unknown organisation and role', async () => {
  using store = await testStore();
  const unknown = await store.run(['member', 'invite', 'org_00000000000000000000', ...GRACE]);
  assert.equal(unknown.code, 3);
  assert.match(unknown.err, /There is no organisation/);
  const wrong = await store.run(['member', 'invite', 'org_1', '--email', 'a@b.example', '--role', 'owner']);
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /member, admin/);
});
