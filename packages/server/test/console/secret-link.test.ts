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
import { becomeFirstAdmin, runCurl, shownCredentials } from '@mintmark/test-support/console-journey';
import { eventually } from '@mintmark/test-support/eventually';
import { startServer, type TestServer } from '@mintmark/test-support/server';

// An operator hands a new secret over by a link. The person who opens it has no account.

const PASSPHRASE = 'seven quiet herons';

interface Made {
  client_id: string;
  client_secret: string;
}

void test('a secret by a link in the console', { timeout: 240_000 }, async (t) => {
  const browser = await openBrowser(t);
  if (browser === null) return;
  await using server = await startServer({ env: { MINTMARK_USAGE_FLUSH: '500' } });
  try {
    const origin = `http://localhost:${server.port}`;
    await using admin = await watchedPage(browser, origin);
    await becomeFirstAdmin(admin.page, server);
    await using desktop = await watchedPage(browser, origin);
    await using phone = await watchedPage(browser, origin, PHONE);
    await t.test('a link shows a secret once, by its button', () => handOver(admin, desktop, server));
    await t.test('a phone opens a link with a passphrase', () => onPhone(admin, phone, server));
    await t.test('a removed link says that it opens nothing', () => removed(admin, phone, server));
    await t.test('an operator finds out why a call was refused', () => refusedCall(admin, server));
    for (const each of [admin, desktop, phone]) each.assertClean();
  } finally {
    await browser.close();
  }
});

async function newApiUser(server: TestServer, name: string): Promise<Made> {
  return await server.json<Made>('api-user', 'create', '--name', name, '--scope', 'campaigns:read');
}

/** Fills the form of a new link; returns the link. */
async function newLink(
  { page, go }: WatchedPage,
  server: TestServer,
  clientId: string,
  choose: (page: Page) => Promise<void> = async () => undefined,
): Promise<string> {
  await go(`/api-users/${clientId}/hand-over`);
  await page.getByLabel('Name of the new secret').fill('production');
  await choose(page);
  await page.getByRole('button', { name: 'Create the link' }).click();
  const url = (await page.getByRole('dialog').locator('pre').innerText()).trim();
  const [, token = ''] = /\/console\/secret#(mml_[0-9A-Za-z]{43})$/.exec(url) ?? [];
  assert.notEqual(token, '', url);
  server.noteSecret(token);
  return url;
}

async function handOver(admin: WatchedPage, { page }: WatchedPage, server: TestServer): Promise<void> {
  const { client_id: clientId, client_secret: old } = await newApiUser(server, 'Importer');
  await admin.go(`/api-users/${clientId}`);
  await admin.page.getByRole('link', { name: 'Hand over by a link' }).click();
  await admin.page.getByText('No link waits to be opened.').waitFor();
  await assertAccessible(admin.page, 'the form of a link');
  const url = await newLink(admin, server, clientId, async (form) => {
    await form.getByLabel('end a day later').check();
  });
  await assertAccessible(admin.page, 'the link');
  await admin.page.getByRole('button', { name: 'I have passed it on' }).click();
  await admin.page.getByRole('button', { name: 'Remove the link production' }).waitFor();

  await page.goto(url);
  await page.getByText('It works once').waitFor();
  assert.ok(!page.url().includes('mml_'), page.url());
  await assertAccessible(page, 'a link before it is opened');
  const before = await server.json<unknown[]>('credential', 'list', clientId);
  assert.equal(before.length, 1, 'the page alone makes no secret');
  await page.getByRole('button', { name: 'Show the secret' }).click();
  const { secret, curl } = await shownCredentials(page, server);
  await page.getByText('It replaces the old ones').waitFor();
  await assertAccessible(page, 'an opened link');
  assert.equal((await runCurl(curl, server))['token_type'], 'Bearer');
  assert.equal((await server.post({ client_id: clientId, client_secret: old })).status, 200);

  await page.getByLabel('I have stored the secret').check();
  await page.getByRole('button', { name: 'Done' }).click();
  await page.getByText('You can close this page.').waitFor();
  assert.ok(!(await page.content()).includes(secret));
  await page.goto('about:blank');
  await page.goto(url);
  await page.getByText('This link opens nothing').waitFor();
}

async function onPhone(admin: WatchedPage, { page }: WatchedPage, server: TestServer): Promise<void> {
  const { client_id: clientId } = await newApiUser(server, 'Mobile importer');
  server.noteSecret(PASSPHRASE);
  const url = await newLink(admin, server, clientId, async (form) => {
    await form.getByLabel('The link also needs a passphrase').check();
    await form.getByLabel('Passphrase', { exact: true }).fill(PASSPHRASE);
  });
  await admin.page.getByRole('button', { name: 'I have passed it on' }).click();
  await page.goto(url);
  await page.getByLabel('Passphrase').fill('seven quiet hens');
  await page.getByRole('button', { name: 'Show the secret' }).click();
  await page.getByText('4 attempts are left').waitFor();
  await assertFits(page, 'a wrong passphrase');
  await page.getByLabel('Passphrase').fill(PASSPHRASE);
  await page.getByRole('button', { name: 'Show the secret' }).click();
  const { secret } = await shownCredentials(page, server);
  await assertFits(page, 'an opened link');
  assert.equal((await server.post({ client_id: clientId, client_secret: secret })).status, 200);
  await page.getByLabel('I have stored the secret').check();
  await page.getByRole('button', { name: 'Done' }).click();
}

async function removed(admin: WatchedPage, { page }: WatchedPage, server: TestServer): Promise<void> {
  const { client_id: clientId } = await newApiUser(server, 'Former importer');
  const url = await newLink(admin, server, clientId);
  await admin.page.getByRole('button', { name: 'I have passed it on' }).click();
  await admin.page.getByRole('button', { name: 'Remove the link production' }).click();
  await admin.page.getByText('No link waits to be opened.').waitFor();
  await page.goto('about:blank');
  await page.goto(url);
  await page.getByText('This link opens nothing').waitFor();
  await assertFits(page, 'a link that opens nothing');
  await page.goto(url.replace(/#.*/, ''));
  await page.reload();
  await page.getByText('This page needs the complete link').waitFor();
}

async function refusedCall({ page, go }: WatchedPage, server: TestServer): Promise<void> {
  const { client_id: clientId, client_secret: secret } = await newApiUser(server, 'Refused importer');
  const credentials = { client_id: clientId, client_secret: secret };
  await eventually(async () => assert.equal((await server.post(credentials)).status, 200));
  const refused = await server.post({ ...credentials, scope: 'other' });
  const traceId = refused.headers.get('x-request-id') ?? '';
  await eventually(async () => {
    assert.equal((await server.json<unknown[]>('api-user', 'refused', clientId)).length, 1);
  });
  await go(`/api-users/${clientId}`);
  await page.getByRole('link', { name: 'See why' }).click();
  await page.getByLabel('Trace id').fill(traceId);
  const found = page.getByRole('region', { name: 'Refused calls' });
  await found.getByRole('link', { name: 'Refused importer' }).waitFor();
  await found.getByText('127.0.0.1').waitFor();
  await assertAccessible(page, 'refused calls');
}
