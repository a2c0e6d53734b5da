// Test setup: also on PostgreSQL.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertProblem } from '@mintmark/test-support/admin';
import { invited, newMember, newOrganisation, tokenIn } from '@mintmark/test-support/organisations';
import {
  auditOf,
  browser,
  makeOperator,
  OTHER_PASSWORD,
  PASSWORD,
  turnOnSecondFactor,
  codeOf,
  type Browser,
} from '@mintmark/test-support/operators';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore } from '@mintmark/test-support/store';

// Members of organisations: invitations, roles, removal, and what their sessions reach.

let server: TestServer;
let admin: Browser;

before(async () => {
  server = await (await newStore()).start({ MINTMARK_ADMIN_ADDRESS_LIMIT: '1000000' });
  await makeOperator(server, 'ada@platform.example', 'admin');
  admin = browser(server);
  await admin.signIn('ada@platform.example');
});
after(async () => await server[Symbol.asyncDispose]());

const same = (value: unknown) => JSON.stringify(value);

test('a person joins by a link and sees the own organisation only', async () => {
  const id = await newOrganisation(admin, 'Agency');
  const { token } = await invited(server, admin, id, { email: 'grace@agency.example', role: 'admin' });
  const grace = browser(server);
  const inspected = await grace.send('POST', '/invitations/inspect', { token });
  assert.deepEqual(inspected.body, {
    email: 'grace@agency.example',
    role: 'admin',
    organisation: 'Agency',
    needs: 'password',
  });
  const weak = await grace.send('POST', '/invitations/accept', { token, password: 'password1234' });
  assertProblem(weak, 400, 'invalid');
  const accepted = await grace.send('POST', '/invitations/accept', { token, password: PASSWORD });
  assert.equal(accepted.status, 200, accepted.text);
  const { actor, organisations } = accepted.body as { actor: { role: string }; organisations: unknown[] };
  assert.equal(actor.role, 'none');
  const own = { id, name: 'Agency', role: 'admin', second_factor_required: false };
  assert.deepEqual(organisations, [own]);
  assert.deepEqual((await grace.portal('GET', '/organisations')).body, { items: [own] });
  const organisation = await grace.portal('GET', `/organisations/${id}`);
  assert.equal(organisation.status, 200, organisation.text);
  assert.deepEqual(organisation.body['counts'], { api_users: 0, api_users_enabled: 0, members: 1 });
  assertProblem(
    await grace.send('POST', '/invitations/accept', { token, password: PASSWORD }),
    404,
    'not_found',
  );
  const operators = (await admin.get('/operators')).body['items'] as { email: string }[];
  assert.deepEqual(
    operators.map(({ email }) => email),
    ['ada@platform.example'],
  );
});

test('the admin API gives a member the own session and profile only', async () => {
  const id = await newOrganisation(admin, 'Confined');
  const member = await newMember(server, admin, id, { email: 'joan@confined.example', role: 'admin' });
  assert.equal((await member.get('/session')).status, 200);
  assert.equal((await member.get('/profile/sessions')).status, 200);
  for (const path of ['/api-users', '/operators', '/audit', '/overview', `/organisations/${id}/members`]) {
    assertProblem(await member.get(path), 403, 'forbidden');
  }
});

test('security 33: the inviter sees no difference between new and existing accounts', async () => {
  const first = await newOrganisation(admin, 'First');
  const second = await newOrganisation(admin, 'Second');
  await newMember(server, admin, first, { email: 'both@agency.example', role: 'member' });
  const boss = await newMember(server, admin, second, { email: 'boss@second.example', role: 'admin' });
  const invite = async (email: string) => {
    const reply = await boss.portal('POST', `/organisations/${second}/members`, { email, role: 'member' });
    assert.equal(reply.status, 201, reply.text);
    const token = tokenIn(server, reply.body['invitation_url']);
    const inspected = await boss.send('POST', '/invitations/inspect', { token });
    const shown = same([reply.body, inspected.body]).replaceAll(token, 'TOKEN').replaceAll(email, 'EMAIL');
    return { token, shown: shown.replaceAll(/inv_\w+|\d{4}-[^"]+/g, '…') };
  };
  const existing = await invite('both@agency.example');
  const unknown = await invite('unknown@agency.example');
  assert.equal(existing.shown, unknown.shown);
  const listed = await boss.portal('GET', `/organisations/${second}/members`);
  const items = listed.body['items'] as { email: string; state: string; second_factor: unknown }[];
  assert.deepEqual(
    items.filter(({ state }) => state === 'invited').map(({ second_factor: factor }) => factor),
    [null, null],
  );
  // A weak password is refused before anybody looks for the account: the inviter has the link, too.
  const weak = async ({ token }: { token: string }) => {
    const reply = await boss.send('POST', '/invitations/accept', { token, password: 'password1234' });
    return [reply.status, same(reply.body).replaceAll(/"trace_id":"\w+"/g, '')];
  };
  assert.deepEqual(await weak(existing), await weak(unknown));
  // An account signs in with its own password. The link sets none.
  const guest = browser(server);
  const wrong = await guest.send('POST', '/invitations/accept', {
    token: existing.token,
    password: OTHER_PASSWORD,
  });
  assertProblem(wrong, 401, 'wrong_credentials');
  const joined = await guest.send('POST', '/invitations/accept', {
    token: existing.token,
    password: PASSWORD,
  });
  assert.equal(joined.status, 200, joined.text);
  assert.equal((joined.body['organisations'] as unknown[]).length, 2);
});

test('a signed-in person with a second factor joins without a password', async () => {
  const first = await newOrganisation(admin, 'Home');
  const second = await newOrganisation(admin, 'Away');
  const person = await newMember(server, admin, first, { email: 'alan@home.example', role: 'member' });
  const { secret } = await turnOnSecondFactor(server, person);
  const { token } = await invited(server, admin, second, { email: 'ALAN@home.example', role: 'member' });
  const stranger = await browser(server).send('POST', '/invitations/accept', { token, password: PASSWORD });
  assertProblem(stranger, 401, 'second_factor_required');
  const crossSite = await person.send(
    'POST',
    '/invitations/accept',
    { token },
    { 'Sec-Fetch-Site': 'cross-site' },
  );
  assertProblem(crossSite, 403, 'cross_site');
  assertProblem(await admin.send('POST', '/invitations/accept', { token }), 400, 'invalid');
  const inspected = await person.send('POST', '/invitations/inspect', { token });
  assert.equal(inspected.body['needs'], 'nothing');
  const joined = await person.send('POST', '/invitations/accept', { token });
  assert.equal(joined.status, 200, joined.text);
  assert.equal(joined.headers['set-cookie'], undefined);
  assert.deepEqual(
    (joined.body['organisations'] as { name: string }[]).map(({ name }) => name),
    ['Home', 'Away'],
  );
  const again = browser(server);
  await again.signIn('alan@home.example', PASSWORD, codeOf(secret));
});

test('security 32: a link of a member never sets a password of an operator', async () => {
  const id = await newOrganisation(admin, 'Climbers');
  const operator = await admin.send('POST', '/operators', { email: 'new@platform.example', role: 'admin' });
  assert.equal(operator.status, 201);
  server.noteSecret(/#(.+)$/.exec(operator.body['invitation_url'] as string)?.[1] ?? '');
  const { token } = await invited(server, admin, id, { email: 'new@platform.example', role: 'member' });
  const tried = await browser(server).send('POST', '/invitations/accept', { token, password: PASSWORD });
  assertProblem(tried, 401, 'wrong_credentials');
});

test('security 34: a member who becomes an operator needs a new link', async () => {
  const id = await newOrganisation(admin, 'Squatters');
  const boss = await newMember(server, admin, id, { email: 'boss@squatters.example', role: 'admin' });
  const invitation = { email: 'chief@platform.example', role: 'member' };
  const made = await boss.portal('POST', `/organisations/${id}/members`, invitation);
  const token = tokenIn(server, made.body['invitation_url']);
  // The inviter has the link, too, and may choose the password in place of the invited person.
  const squatter = browser(server);
  const joined = await squatter.send('POST', '/invitations/accept', { token, password: PASSWORD });
  assert.equal(joined.status, 200, joined.text);
  const inviting = { email: 'chief@platform.example', role: 'admin' };
  const refused = await admin.send('POST', '/operators', inviting);
  assertProblem(refused, 409, 'conflict');
  assert.match(String(refused.body['detail']), /change the role of the account op_\w+/);
  const changed = await admin.send('PATCH', '/operators/chief@platform.example', { role: 'admin' });
  assert.equal(changed.status, 200, changed.text);
  assert.deepEqual([changed.body['role'], changed.body['state']], ['admin', 'invited']);
  const credentials = { email: 'chief@platform.example', password: PASSWORD };
  assertProblem(await squatter.send('POST', '/session', credentials), 401, 'wrong_credentials');
  const link = await admin.send('POST', '/operators/chief@platform.example/invitation');
  assert.equal(link.status, 201, link.text);
  server.noteSecret(/#(.+)$/.exec(link.body['invitation_url'] as string)?.[1] ?? '');
});

test('security 34: a removed member loses sessions and account; credentials are listed', async () => {
  const id = await newOrganisation(admin, 'Leaving');
  const boss = await newMember(server, admin, id, { email: 'boss@leaving.example', role: 'admin' });
  const leaver = await newMember(server, admin, id, { email: 'leaver@leaving.example', role: 'member' });
  const at = `/organisations/${id}`;
  const made = await leaver.portal('POST', `${at}/api-users`, {
    name: 'Importer',
    scopes: ['campaigns:read'],
  });
  assert.equal(made.status, 201, made.text);
  server.noteSecret(made.body['client_secret'] as string);
  const { client_id: clientId } = made.body['api_user'] as { client_id: string };
  const removed = await boss.portal('DELETE', `${at}/members/${leaver.id}`);
  assert.equal(removed.status, 200, removed.text);
  const credentials = removed.body['credentials'] as { client_id: string; kind: string }[];
  assert.deepEqual(
    credentials.map((each) => [each.client_id, each.kind]),
    [[clientId, 'secret']],
  );
  assertProblem(await leaver.portal('GET', at), 401, 'not_signed_in');
  const again = await leaver.send('POST', '/session', {
    email: 'leaver@leaving.example',
    password: PASSWORD,
  });
  assertProblem(again, 401, 'wrong_credentials');
  const reset = await boss.portal('POST', `${at}/members/${leaver.id}/reset`, { overlap_seconds: 3600 });
  assert.equal(reset.status, 200, reset.text);
  const [first] = reset.body['reset'] as { client_id: string; client_secret: string; ending: unknown[] }[];
  server.noteSecret(first?.client_secret ?? '');
  assert.deepEqual([first?.client_id, first?.ending.length], [clientId, 1]);
  const repeated = await boss.portal('POST', `${at}/members/${leaver.id}/reset`, { overlap_seconds: 3600 });
  assert.deepEqual(repeated.body, { reset: [], left: [] });
  const { status } = await server.post({ client_id: clientId, client_secret: first?.client_secret ?? '' });
  assert.equal(status, 200);
});

test('security 34: an account ends with its last organisation', async () => {
  const [first, second] = [await newOrganisation(admin, 'Short'), await newOrganisation(admin, 'Long')];
  const only = { email: 'only@short.example', role: 'admin' } as const;
  const both = { email: 'both@short.example', role: 'member' } as const;
  const signedIn = await newMember(server, admin, first, only);
  const elsewhere = await newMember(server, admin, first, both);
  const { token } = await invited(server, admin, second, both);
  assert.equal((await elsewhere.send('POST', '/invitations/accept', { token })).status, 200);
  const deleted = await admin.send('DELETE', `/organisations/${first}`, undefined, {
    'If-Match': '*',
    'Sec-Fetch-Site': 'same-origin',
  });
  assert.equal(deleted.status, 204, deleted.text);
  assertProblem(await signedIn.get('/session'), 401, 'not_signed_in');
  const again = await browser(server).send('POST', '/session', { email: only.email, password: PASSWORD });
  assertProblem(again, 401, 'wrong_credentials');
  assert.equal((await elsewhere.portal('GET', `/organisations/${second}`)).status, 200);
});

test('security 34: a link of an admin who lost the role opens nothing', async () => {
  const id = await newOrganisation(admin, 'Returning');
  const boss = await newMember(server, admin, id, { email: 'boss@returning.example', role: 'admin' });
  const at = `/organisations/${id}/members`;
  const losses: [string, (second: string) => Promise<{ status: number; text: string }>][] = [
    ['removed', (second) => boss.portal('DELETE', `${at}/${second}`)],
    ['demoted', (second) => boss.portal('PATCH', `${at}/${second}`, { role: 'member' })],
  ];
  for (const [name, lose] of losses) {
    const second = await newMember(server, admin, id, { email: `${name}@returning.example`, role: 'admin' });
    const email = `later-${name}@returning.example`;
    const made = await second.portal('POST', at, { email, role: 'admin' });
    const token = tokenIn(server, made.body['invitation_url']);
    const guest = browser(server);
    assert.equal((await guest.send('POST', '/invitations/inspect', { token })).status, 200);
    const lost = await lose(second.id);
    assert.equal(lost.status, 200, lost.text);
    for (const path of ['/invitations/inspect', '/invitations/accept']) {
      const body = path.endsWith('accept') ? { token, password: PASSWORD } : { token };
      assertProblem(await guest.send('POST', path, body), 404, 'not_found');
    }
    const { id: invitation } = made.body['member'] as { id: string };
    const renewed = await boss.portal('POST', `${at}/${invitation}/invitation`);
    const again = tokenIn(server, renewed.body['invitation_url']);
    const joined = await guest.send('POST', '/invitations/accept', { token: again, password: PASSWORD });
    assert.equal(joined.status, 200, joined.text);
  }
});

test('security 32: no member becomes admin, and the last admin stays', async () => {
  const id = await newOrganisation(admin, 'Headless');
  const boss = await newMember(server, admin, id, { email: 'boss@headless.example', role: 'admin' });
  const member = await newMember(server, admin, id, { email: 'member@headless.example', role: 'member' });
  const at = `/organisations/${id}/members`;
  assertProblem(await member.portal('PATCH', `${at}/${member.id}`, { role: 'admin' }), 403, 'forbidden');
  assertProblem(await boss.portal('PATCH', `${at}/${boss.id}`, { role: 'member' }), 409, 'conflict');
  assertProblem(await boss.portal('DELETE', `${at}/${boss.id}`), 409, 'conflict');
  assert.equal((await admin.send('DELETE', `${at}/${boss.id}`)).status, 200);
});

test('security 33: an operator views an organisation on record, and stays unnamed', async () => {
  const id = await newOrganisation(admin, 'Watched');
  const boss = await newMember(server, admin, id, { email: 'boss@watched.example', role: 'admin' });
  const at = `/organisations/${id}`;
  const views = await Promise.all([1, 2, 3].map(() => admin.portal('GET', at)));
  assert.deepEqual(
    views.map(({ status, body }) => [status, body['role']]),
    Array.from({ length: 3 }, () => [200, 'viewer']),
  );
  assertProblem(await admin.portal('POST', `${at}/api-users`, { name: 'Mine' }), 403, 'forbidden');
  const entries = (await auditOf(server)).filter(({ action }) => action === 'organisation.view');
  assert.deepEqual(
    entries.map(({ actor, subject }) => [actor.name, subject.id]),
    [['ada@platform.example', id]],
  );
  const seen = await boss.portal('GET', `${at}/audit`);
  assert.equal(seen.status, 200, seen.text);
  assert.ok(!seen.text.includes('ada@platform.example'), seen.text);
  assert.ok(seen.text.includes('the platform'));
  assert.ok(seen.text.includes('"credential_kinds"'));
  assert.doesNotMatch(seen.text, /introspects_all|violations/, 'the portal does not show these, either');
  for (const search of ['ada@platform', '127.0.0.1']) {
    const found = await boss.portal('GET', `${at}/audit?search=${search}&actor=platform`);
    assert.deepEqual(found.body['items'], []);
  }
});

test('a policy keeps members without a second factor out', async () => {
  const id = await newOrganisation(admin, 'Careful', { second_factor_required: true });
  const member = await newMember(server, admin, id, { email: 'careful@careful.example', role: 'member' });
  const refused = await member.portal('GET', `/organisations/${id}/api-users`);
  assertProblem(refused, 403, 'forbidden');
  assert.match(String(refused.body['detail']), /second factor/);
  await turnOnSecondFactor(server, member);
  assert.equal((await member.portal('GET', `/organisations/${id}/api-users`)).status, 200);
});
