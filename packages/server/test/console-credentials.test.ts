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
} from './support/browser.ts';
import { becomeFirstAdmin, PASSWORD, shownCredentials, signIn } from './support/console-journey.ts';
import { startServer, type TestServer } from './support/server.ts';

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
  await dialog.getByLabel('Make a new secret at once').uncheck();
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
  await page.getByRole('dialog').getByLabel('Make a new secret at once').uncheck();
  await page.getByRole('dialog').getByRole('button', { name: 'Cut it off' }).click();
  await page.getByText('Nothing works now').waitFor();
  await page.getByText('It gets no tokens').first().waitFor();
  await page.getByRole('link', { name: 'Reset credentials' }).first().waitFor();
  assert.match(page.url(), /\/cut-off$/);
  await go(`/api-users/${server.clientId}/cut-off`);
  await page.getByText('was not cut off').waitFor();
  await go('/api-users/api_00000000000000000000/cut-off');
  await page.getByRole('heading', { name: 'There is no such API user' }).waitFor();
}
