// Test setup: also on PostgreSQL.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { auditOf, makeOperator } from '@mintmark/test-support/operators';
import { ADMIN, adminClient, assertProblem, type AdminClient } from '@mintmark/test-support/admin';
import { eventually } from '@mintmark/test-support/eventually';
import { exchange, type Reply } from '@mintmark/test-support/http';
import { mintmark, type TestServer } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser, type TestStore } from '@mintmark/test-support/store';

// A one-time link hands a new secret over: who makes the link never sees the secret.

const PASSPHRASE = 'seven quiet herons';

let store: TestStore;
let server: TestServer;
let admin: AdminClient;

before(async () => {
  store = await newStore();
  const made = await store.apiUser('Deployment', '--scope', 'mintmark:admin');
  server = await store.start({
    MINTMARK_ADMIN_ADDRESS_LIMIT: '1000000',
    MINTMARK_USAGE_FLUSH: '100',
  });
  admin = await adminClient(server, made);
});
after(async () => await server[Symbol.asyncDispose]());

interface Link {
  id: string;
  expires_at: string;
}

/** Each test opens its links from an address of its own: the attempts of an address are bounded. */
let lastAddress = 1;
function newAddress(): string {
  lastAddress += 1;
  return `127.0.0.${lastAddress}`;
}

async function apiUser(name: string, ...options: string[]): Promise<MadeApiUser> {
  const made = await store.apiUser(name, ...options);
  server.noteSecret(made.client_secret);
  await eventually(async () => assert.equal(await status(made.client_id, made.client_secret), 200));
  return made;
}

async function status(client_id: string, client_secret: string): Promise<number> {
  return (await server.post({ client_id, client_secret })).status;
}

async function newLink(user: MadeApiUser, body: object = {}): Promise<{ link: Link; token: string }> {
  const path = `/api-users/${user.client_id}/secret-links`;
  const reply = await admin.send('POST', path, { name: 'by a link', ...body });
  assert.equal(reply.status, 201, reply.text);
  const { link, url } = reply.body as unknown as { link: Link; url: string };
  const [, token = ''] = /^http:\/\/localhost:\d+\/console\/secret#(mml_[0-9A-Za-z]{43})$/.exec(url) ?? [];
  assert.notEqual(token, '', url);
  server.noteSecret(token);
  return { link, token };
}

/** As the recipient of a link does: without credentials. */
async function asHolder(action: 'open' | 'inspect', body: object, from: string): Promise<Reply> {
  const text = JSON.stringify(body);
  const reply = await exchange(server.port, {
    path: `${ADMIN}/secret-links/${action}`,
    headers: { 'Content-Type': 'application/json' },
    body: text,
    from,
  });
  const { client_secret: secret } = reply.body;
  if (typeof secret === 'string') server.noteSecret(secret);
  return reply;
}

/** Without what differs in every answer. */
function refusalOf({ status: code, body }: Reply): unknown {
  return [code, { ...body, trace_id: null }];
}

test('a link makes a working secret once, when it is opened', async () => {
  const from = newAddress();
  const user = await apiUser('Importer', '--scope', 'campaigns:read');
  const { link, token } = await newLink(user, { expires_at: '2030-01-31T12:00:00Z' });
  const credentials = async () => (await server.json<unknown[]>('credential', 'list', user.client_id)).length;

  for (let looks = 0; looks < 3; looks++) {
    const looked = await asHolder('inspect', { token }, from);
    assert.deepEqual(looked.body, {
      api_user_name: 'Importer',
      needs_passphrase: false,
      expires_at: link.expires_at,
    });
  }
  const got = await exchange(server.port, { method: 'GET', path: `${ADMIN}/secret-links/open`, from });
  assert.equal(got.status, 405);
  assert.equal(await credentials(), 1);

  const opened = await asHolder('open', { token }, from);
  assert.equal(opened.status, 200, opened.text);
  const { client_secret: secret, credential_id: id, ...others } = opened.body;
  assert.deepEqual(others, {
    client_id: user.client_id,
    api_user_name: 'Importer',
    credential_name: 'by a link',
    expires_at: '2030-01-31T12:00:00.000Z',
    scopes: ['campaigns:read'],
    token_url: `${server.url}/oauth2/token`,
    old_credentials: [],
  });
  assert.equal(await status(user.client_id, String(secret)), 200);
  assert.equal(await status(user.client_id, user.client_secret), 200);

  const unknown = await asHolder('open', { token: `mml_${'0'.repeat(43)}` }, from);
  assertProblem(unknown, 404, 'not_found');
  const refusals = [
    await asHolder('open', { token }, from),
    await asHolder('inspect', { token }, from),
    await asHolder('open', { token: 'not a link' }, from),
  ];
  for (const refused of refusals) assert.deepEqual(refusalOf(refused), refusalOf(unknown));
  assert.equal(await credentials(), 2);

  const entries = (await auditOf(server)).filter(({ subject }) => [link.id, id].includes(subject.id ?? ''));
  assert.deepEqual(
    entries.map((entry) => [entry.action, entry.actor.name, entry.actor.address, entry.related?.id]),
    [
      ['secret_link.create', 'Deployment', '127.0.0.1', user.client_id],
      ['secret_link.open', 'Importer', from, user.client_id],
      ['credential.create', 'Importer', from, user.client_id],
    ],
  );
});

test('of many who open a link at once, one gets the secret', async () => {
  const from = newAddress();
  const user = await apiUser('Importer');
  const { token } = await newLink(user);
  const replies = await Promise.all(Array.from({ length: 20 }, () => asHolder('open', { token }, from)));
  const codes = replies.map(({ status: code }) => code).toSorted((a, b) => a - b);
  assert.deepEqual(codes, [200, ...Array.from({ length: 19 }, () => 404)]);
});

test('five wrong passphrases end a link, even if sent at once', async () => {
  const from = newAddress();
  const user = await apiUser('Importer');
  const { token } = await newLink(user, { passphrase: PASSPHRASE });
  server.noteSecret(PASSPHRASE);
  const missing = await asHolder('open', { token }, from);
  assertProblem(missing, 401, 'wrong_credentials');
  const guesses = Array.from({ length: 12 }, (_, i) => `seven quiet heron${i}`);
  const replies = await Promise.all(
    guesses.map((passphrase) => asHolder('open', { token, passphrase }, from)),
  );
  const codes = replies.map(({ status: code }) => code);
  assert.equal(codes.filter((code) => code === 401).length, 5, codes.join(' '));
  assert.equal(codes.filter((code) => code === 404).length, 7, codes.join(' '));
  assertProblem(await asHolder('open', { token, passphrase: PASSPHRASE }, from), 404, 'not_found');
  const refused = (await auditOf(server)).filter(
    ({ action, outcome, related }) =>
      action === 'secret_link.open' && outcome === 'refused' && related?.id === user.client_id,
  );
  assert.deepEqual(
    refused.map(({ reason, actor }) => [reason, actor.address]),
    Array.from({ length: 5 }, () => ['The passphrase is wrong.', from]),
  );
});

test('the right passphrase opens a link after wrong ones', async () => {
  const from = newAddress();
  const user = await apiUser('Importer');
  const { token } = await newLink(user, { passphrase: PASSPHRASE });
  assert.equal((await asHolder('inspect', { token }, from)).body['needs_passphrase'], true);
  const wrong = await asHolder('open', { token, passphrase: 'seven quiet hens' }, from);
  assert.match(String(wrong.body['detail']), /: 4 attempts are left\.$/);
  const opened = await asHolder('open', { token, passphrase: PASSPHRASE }, from);
  assert.equal(opened.status, 200, opened.text);
  assert.equal(await status(user.client_id, String(opened.body['client_secret'])), 200);
});

test('a link with a reset ends the old secrets after its opening', async () => {
  const from = newAddress();
  const user = await apiUser('Importer');
  const { token } = await newLink(user, { reset: { overlap_seconds: 3600 } });
  const credentials = await server.json<{ expires_at: string | null }[]>(
    'credential',
    'list',
    user.client_id,
  );
  assert.deepEqual(
    credentials.map(({ expires_at: ends }) => ends),
    [null],
  );
  const opened = await asHolder('open', { token }, from);
  assert.equal(opened.status, 200, opened.text);
  const [old] = opened.body['old_credentials'] as { id: string; expires_at: string }[];
  assert.equal(old?.id, user.credential_id);
  const inMs = Date.parse(old?.expires_at ?? '') - Date.now();
  assert.ok(inMs > 3_500_000 && inMs <= 3_600_000, `the old one ends in ${inMs} ms`);
  assert.equal(await status(user.client_id, user.client_secret), 200);
});

test('a removed link opens nothing', async () => {
  const from = newAddress();
  const user = await apiUser('Importer');
  const { link, token } = await newLink(user);
  const path = `/api-users/${user.client_id}/secret-links`;
  const listed = (await admin.get(path)).body['items'] as Link[];
  assert.deepEqual(
    listed.map(({ id }) => id),
    [link.id],
  );
  assert.equal((await admin.send('DELETE', `${path}/${link.id}`)).status, 204);
  assertProblem(await asHolder('open', { token }, from), 404, 'not_found');
  assertProblem(await admin.send('DELETE', `${path}/${link.id}`), 404, 'not_found');
  assert.deepEqual((await admin.get(path)).body['items'], []);
});

test('a link survives a refusal, which names no credential', async () => {
  const from = newAddress();
  const user = await apiUser('Importer');
  const { token } = await newLink(user);
  for (let more = 1; more < 5; more++) await store.json(['credential', 'create', user.client_id]);
  const refused = await asHolder('open', { token }, from);
  assertProblem(refused, 409, 'conflict');
  assert.ok(!refused.text.includes(user.credential_id), refused.text);
  await server.cli('credential', 'retire', user.credential_id, '--force');
  assert.equal((await asHolder('open', { token }, from)).status, 200);
});

test('a request for a link with faults names all of them', async () => {
  const user = await apiUser('Importer');
  const reply = await admin.send('POST', `/api-users/${user.client_id}/secret-links`, {
    name: ' ',
    expires_at: '2020-01-01T00:00:00Z',
    link_seconds: 604_801,
    passphrase: 'short',
  });
  assertProblem(reply, 400, 'invalid');
  const pointers = (reply.body['errors'] as { pointer: string }[]).map(({ pointer }) => pointer);
  assert.deepEqual(pointers.toSorted(), ['/expires_at', '/link_seconds', '/name', '/passphrase']);
});

test('one API user has at most ten links', async () => {
  const user = await apiUser('Importer');
  for (let links = 0; links < 10; links++) await newLink(user);
  const path = `/api-users/${user.client_id}/secret-links`;
  assertProblem(await admin.send('POST', path, { name: 'one more' }), 409, 'conflict');
});

test('one network address may try links only so often', async () => {
  const from = newAddress();
  const replies = [];
  for (let calls = 0; calls < 70; calls++) replies.push(await asHolder('open', { token: 'mml_' }, from));
  const limited = replies.find(({ status: code }) => code === 429);
  assert.ok(limited !== undefined, 'no attempt was refused');
  assert.ok(Number(limited.headers['retry-after']) >= 1);
});

test('the command line makes, lists and removes links', async () => {
  const from = newAddress();
  const user = await apiUser('Importer');
  await makeOperator(server, 'ada@example.com', 'admin');
  const out = await server.cli('secret', 'link', user.client_id, '--expires', '2h', '--when-quiet');
  const [, token] = /#(mml_[0-9A-Za-z]{43})\n$/.exec(out) ?? [];
  const [waiting] = await server.json<{ id: string; expires_at: string; reset: unknown }[]>(
    'secret',
    'links',
    user.client_id,
  );
  assert.deepEqual(waiting?.reset, { overlap_seconds: null, end_password: false });
  assert.equal((await asHolder('open', { token }, from)).status, 200);
  const other = await server.json<{ link: Link }>('secret', 'link', user.client_id);
  await server.cli('secret', 'remove-link', user.client_id, other.link.id);
  assert.deepEqual(await server.json('secret', 'links', user.client_id), []);

  const env = { MINTMARK_DATA_DIR: server.dataDir };
  const args = ['secret', 'link', user.client_id, '--passphrase-stdin', '--json'];
  const made = await mintmark(args, { env, stdin: `${PASSPHRASE}\n` });
  assert.equal(made.code, 0, made.err);
  const { link } = JSON.parse(made.out) as { link: { passphrase: boolean } };
  assert.equal(link.passphrase, true);
  const now = await mintmark(['secret', 'link', user.client_id, '--overlap', '0'], { env });
  assert.equal(now.code, 3, now.err);
});
