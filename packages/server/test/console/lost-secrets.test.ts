// Test setup: first.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import {
  assertAccessible,
  assertFits,
  openBrowser,
  PHONE,
  watchedPage,
  type WatchedPage,
} from '@mintmark/test-support/browser';
import {
  becomeFirstAdmin,
  PASSWORD,
  runCurl,
  shownCredentials,
  signIn,
} from '@mintmark/test-support/console-journey';
import { eventually } from '@mintmark/test-support/eventually';
import { startServer, type TestServer } from '@mintmark/test-support/server';

// What operators do with the credentials of one API user: cut off, reset, disable, delete.

void test('credentials of an API user in the console', { timeout: 240_000 }, async (t) => {
  const browser = await openBrowser(t);
  if (browser === null) return;
  await using server = await startServer({ env: { MINTMARK_USAGE_FLUSH: '500' } });
  try {
    const origin = `http://localhost:${server.port}`;
    await using admin = await watchedPage(browser, origin);
    await becomeFirstAdmin(admin.page, server);
    await using phone = await watchedPage(browser, origin, PHONE);
    await phone.go('/');
    await signIn(phone.page, 'ada@example.com', PASSWORD);
    await t.test('after a cut-off its page says what is refused', () => cutOffAll(admin, phone, server));
    await t.test('a cut-off of one secret names what still works', () => cutOffOne(admin, server));
    await t.test('a cut-off without a new secret says how to get one', () => cutOffOnly(admin, server));
    await t.test('a reset gives a password, and ends the old ones now', () => resetToPassword(admin, server));
    await t.test('a reset lets the old ones end when quiet', () => resetWhenQuiet(admin, server));
    await t.test('a reset of what is in use asks first', () => resetInUse(admin, server));
    await t.test('a reset lets the old ones end at a time', () => resetAtTime(admin, server));
    await t.test('disable and delete of what is in use ask first', () => stop(admin, server));
    admin.assertClean();
    phone.assertClean();
  } finally {
    await browser.close();
  }
});

interface Made {
  client_id: string;
  client_secret: string;
}

async function newApiUser(server: TestServer, name: string, ...options: string[]): Promise<Made> {
  return await server.json<Made>('api-user', 'create', '--name', name, ...options);
}

async function mainText(page: Page): Promise<string> {
  return await page.getByRole('main').innerText();
}

const INTROSPECT = ['--scope', 'mintmark:introspect'];

/** What was said of a secret that was replaced, and is not true of one that is refused. */
const UNTRUE = /goes on working|go on working|still works|Retire the old|until you retire/i;

async function cutOffAll({ page, go }: WatchedPage, phone: WatchedPage, server: TestServer): Promise<void> {
  const { client_id: clientId, client_secret: old } = await newApiUser(
    server,
    'Leaky importer',
    ...INTROSPECT,
  );
  const { body } = await server.post({ client_id: clientId, client_secret: old });
  await go(`/api-users/${clientId}`);
  await page.getByRole('button', { name: 'Leaked: cut it off now' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Cut it off' }).click();
  const fresh = await shownCredentials(page, server);
  const address = page.url();
  assert.ok(address.endsWith(`/api-users/${clientId}/cut-off`), address);

  const blocked = page.getByRole('region', { name: 'What is refused' });
  await blocked.getByText(old.slice(4, 14)).waitFor();
  await blocked.getByText('Every access token').waitFor();
  await blocked.getByText('Only the new secret works now').waitFor();
  const since = await blocked.locator('time').first().getAttribute('datetime');
  const apart = Math.abs(Date.now() - Date.parse(since ?? ''));
  assert.ok(apart < 60_000, `it says since when: ${since}`);
  const letter = await page
    .getByRole('region', { name: 'What to tell the integrator' })
    .locator('pre')
    .innerText();
  for (const part of [clientId, old.slice(4, 14), 'UTC', `${server.url}/oauth2/token`]) {
    assert.ok(letter.includes(part), `${part} in: ${letter}`);
  }
  assert.ok(!letter.includes(fresh.secret) && !letter.includes(old), 'the letter holds no secret');
  assert.doesNotMatch(await mainText(page), UNTRUE);
  assert.equal((await server.post({ client_id: clientId, client_secret: old })).status, 403);
  assert.equal((await server.post({ client_id: clientId, client_secret: fresh.secret })).status, 200);
  const token = String(body['access_token']);
  const introspected = await fetch(`${server.url}/oauth2/introspect`, {
    method: 'POST',
    body: new URLSearchParams({ token, client_id: clientId, client_secret: fresh.secret }),
  });
  assert.deepEqual(await introspected.json(), { active: false });
  await assertAccessible(page, 'after a cut-off');

  await page.getByLabel('I have stored the secret').check();
  await page.reload();
  await blocked.getByText(old.slice(4, 14)).waitFor();
  await page.getByText('The secret was shown once').waitFor();
  assert.doesNotMatch(await mainText(page), /mms_/);
  await phone.go(`/api-users/${clientId}/cut-off`);
  await phone.page.getByText(old.slice(4, 14)).first().waitFor();
  await assertFits(phone.page, 'after a cut-off');
}

async function cutOffOne({ page, go }: WatchedPage, server: TestServer): Promise<void> {
  const { client_id: clientId, client_secret: old } = await newApiUser(server, 'Two secrets');
  await server.cli('credential', 'create', clientId, '--name', 'innocent one');
  await go(`/api-users/${clientId}`);
  await page.getByRole('button', { name: 'Leaked: cut it off now' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('What leaked').selectOption({ index: 1 });
  await dialog.getByLabel('Create a new secret now').uncheck();
  await dialog.getByRole('button', { name: 'Cut it off' }).click();
  const blocked = page.getByRole('region', { name: 'What is refused' });
  await blocked.getByText(old.slice(4, 14)).waitFor();
  await blocked.getByText('innocent one').waitFor();
  assert.doesNotMatch(await blocked.innerText(), /Nothing works|Only the new/);
  assert.match(await page.locator('pre').innerText(), /innocent one/);
}

async function cutOffOnly({ page, go }: WatchedPage, server: TestServer): Promise<void> {
  const { client_id: clientId } = await newApiUser(server, 'Stopped');
  await go(`/api-users/${clientId}`);
  await page.getByRole('button', { name: 'Leaked: cut it off now' }).click();
  await page.getByRole('dialog').getByLabel('Create a new secret now').uncheck();
  await page.getByRole('dialog').getByRole('button', { name: 'Cut it off' }).click();
  await page.getByText('so it gets no tokens').waitFor();
  await page.getByText('It gets no tokens').first().waitFor();
  await page.getByRole('link', { name: 'Reset credentials' }).first().waitFor();
  assert.match(page.url(), /\/cut-off$/);
  await go(`/api-users/${server.clientId}/cut-off`);
  await page.getByText('was not cut off').waitFor();
  await go('/api-users/api_00000000000000000000/cut-off');
  await page.getByRole('heading', { name: 'There is no such API user' }).waitFor();
}

async function resetPage({ page, go }: WatchedPage, clientId: string): Promise<void> {
  await go(`/api-users/${clientId}`);
  await page.getByText('Forgot or lost a secret or password?').waitFor();
  await page.getByRole('link', { name: 'Reset credentials', exact: true }).click();
  await page.getByRole('heading', { name: 'Reset credentials' }).waitFor();
}

async function resetToPassword(watched: WatchedPage, server: TestServer): Promise<void> {
  const { page } = watched;
  const { client_id: clientId, client_secret: old } = await newApiUser(server, 'Forgotten');
  await resetPage(watched, clientId);
  await page.getByRole('radio', { name: /^a password/ }).check();
  await page.getByLabel('Name of the new password').fill('typed by hand');
  await page.getByLabel('Password', { exact: true }).fill('too short');
  await page.getByRole('radio', { name: /^now/ }).check();
  await page.getByRole('button', { name: 'Set the password' }).click();
  const problem = page.locator('.field-error');
  await problem.getByText('12 to 128 characters').waitFor();

  await page.getByRole('button', { name: 'Generate a password' }).click();
  const generated = await page.getByLabel('Password', { exact: true }).inputValue();
  assert.match(generated, /^([a-z2-9]{5}-){4}[a-z2-9]{5}$/);
  server.noteSecret(generated);
  await page.getByRole('button', { name: 'Set the password' }).click();
  await page.getByLabel('I have stored the password').waitFor();
  assert.match(page.url(), /\/reset\?step=secret$/);
  const shown = await page.locator('.code-block pre').allInnerTexts();
  assert.equal(shown[1], generated);
  const answer = await runCurl(shown[2] ?? '', server);
  assert.equal(answer['token_type'], 'Bearer', JSON.stringify(answer));
  await page.getByText('It works.').waitFor();
  assert.equal((await server.post({ client_id: clientId, client_secret: old })).status, 403);
  await page.getByLabel('I have stored the password').check();
  await page.getByRole('button', { name: 'Done' }).click();
  await page.getByRole('heading', { name: 'Forgotten' }).waitFor();
}

/** What a person may type: the curl line has to quote it. */
const TYPED = `it's 100% "typed" & sent+once`;

async function resetWhenQuiet(watched: WatchedPage, server: TestServer): Promise<void> {
  const { page } = watched;
  const { client_id: clientId, client_secret: old } = await newApiUser(server, 'Nightly job');
  await eventually(async () =>
    assert.equal((await server.post({ client_id: clientId, client_secret: old })).status, 200),
  );
  server.noteSecret(TYPED);
  await resetPage(watched, clientId);
  await assertAccessible(page, 'reset');
  await page.getByRole('radio', { name: /^a password/ }).check();
  await page.getByLabel('Password', { exact: true }).fill(TYPED);
  await page.getByLabel('Name of the new password').fill('typed');
  await page.getByRole('button', { name: 'Set the password' }).click();
  await page.getByLabel('I have stored the password').waitFor();
  const [, , curl = ''] = await page.locator('.code-block pre').allInnerTexts();
  assert.equal((await runCurl(curl, server))['token_type'], 'Bearer', curl);
  assert.equal(await page.getByRole('button', { name: '.env' }).count(), 0, 'an env file could not hold it');
  await page.getByLabel('I have stored the password').check();
  await page.getByRole('button', { name: 'Next: the old one' }).click();
  await page.getByText(/ends automatically when quiet, in \d+ h at the earliest/).waitFor();
  assert.equal((await server.post({ client_id: clientId, client_secret: old })).status, 200);
}

async function resetInUse(watched: WatchedPage, server: TestServer): Promise<void> {
  const { page } = watched;
  const { client_id: clientId, client_secret: old } = await newApiUser(server, 'Busy');
  await eventually(async () =>
    assert.equal((await server.post({ client_id: clientId, client_secret: old })).status, 200),
  );
  await resetPage(watched, clientId);
  await page.getByLabel('Name of the new secret').fill('fresh');
  await page.getByRole('radio', { name: /^now/ }).check();
  await page.getByRole('button', { name: 'Create the secret' }).click();
  await page.getByText('It is in use', { exact: true }).waitFor();
  assert.ok(await page.getByRole('button', { name: 'Create the secret' }).isDisabled());
  assert.equal((await server.post({ client_id: clientId, client_secret: old })).status, 200);
  await page.getByLabel('Reset although it is in use').check();
  await page.getByRole('button', { name: 'Create the secret' }).click();
  const fresh = await shownCredentials(page, server);
  assert.equal((await server.post({ client_id: clientId, client_secret: old })).status, 403);
  assert.equal((await server.post({ client_id: clientId, client_secret: fresh.secret })).status, 200);
}

async function resetAtTime(watched: WatchedPage, server: TestServer): Promise<void> {
  const { page } = watched;
  const { client_id: clientId } = await newApiUser(server, 'Planned');
  await resetPage(watched, clientId);
  await page.getByLabel('Name of the new secret').fill('fresh');
  await page.getByRole('radio', { name: /^at a time/ }).check();
  const end = Math.ceil(Date.now() / 60_000) * 60_000 + 3 * 86_400_000;
  const local = await page.evaluate<string>(
    `new Date(${end} - new Date(${end}).getTimezoneOffset() * 60_000).toISOString().slice(0, 16)`,
  );
  await page.getByLabel('They end at').fill(local);
  await page.getByRole('button', { name: 'Create the secret' }).click();
  await shownCredentials(page, server);
  const all = await server.json<{ name: string; expires_at: string | null }[]>(
    'credential',
    'list',
    clientId,
  );
  assert.equal(all[1]?.expires_at, null);
  const apart = Math.abs(Date.parse(all[0]?.expires_at ?? '') - end);
  assert.ok(apart < 5000, `${apart} ms from the time that was chosen`);
}

async function stop(watched: WatchedPage, server: TestServer): Promise<void> {
  const { page, go } = watched;
  const { client_id: clientId, client_secret: secret } = await newApiUser(server, 'In use');
  const status = async () => (await server.post({ client_id: clientId, client_secret: secret })).status;
  await eventually(async () => assert.equal(await status(), 200));
  await go(`/api-users/${clientId}`);
  await page.getByRole('button', { name: 'Disable' }).click();
  const dialog = page.getByRole('dialog', { name: 'Disable In use although it is in use?' });
  await dialog.getByText('was used').waitFor();
  await dialog.getByText(secret.slice(4, 14)).waitFor();
  assert.equal(await status(), 200, 'one click stops nobody');
  assert.ok(await dialog.getByRole('button', { name: 'Disable', exact: true }).isDisabled());
  await assertAccessible(page, 'disable in use');
  await dialog.getByLabel('Disable it although it is in use').check();
  await dialog.getByRole('button', { name: 'Disable', exact: true }).click();
  await dialog.waitFor({ state: 'detached' });
  await eventually(async () => assert.equal(await status(), 403));
  await page.getByRole('button', { name: 'Undo: enable it' }).click();
  await page.getByRole('button', { name: 'Disable' }).waitFor();
  await eventually(async () => assert.equal(await status(), 200));

  await page.getByRole('button', { name: 'Delete' }).click();
  const asked = page.getByRole('dialog', { name: 'Delete In use?' });
  await asked.getByRole('textbox').fill('In use');
  await asked.getByRole('button', { name: 'Delete permanently' }).click();
  await asked.getByText('was used').waitFor();
  assert.equal(await status(), 200);
  await asked.getByLabel('Delete it although it is in use').check();
  await asked.getByRole('button', { name: 'Delete permanently' }).click();
  await page.getByRole('heading', { name: 'API users' }).waitFor();
  await eventually(async () => assert.equal(await status(), 403));
}
