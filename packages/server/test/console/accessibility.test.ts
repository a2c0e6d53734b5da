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
  firstAdminLink,
  PASSWORD,
  shownCredentials,
  signIn,
} from '@mintmark/test-support/console-journey';
import { startServer, type TestServer } from '@mintmark/test-support/server';

void test('the console is for everybody, everywhere', { timeout: 280_000 }, async (t) => {
  const browser = await openBrowser(t);
  if (browser === null) return;
  await using server = await startServer();
  const origin = `http://localhost:${server.port}`;
  try {
    await using admin = await watchedPage(browser, origin);
    await t.test('axe finds nothing on the page of an invitation', async () => {
      await admin.page.goto(firstAdminLink(server));
      await admin.page.getByLabel('New password').waitFor();
      await assertAccessible(admin.page, 'welcome');
    });
    await becomeFirstAdmin(admin.page, server);
    await server.post({ client_id: server.clientId, client_secret: server.clientSecret });

    await t.test('axe finds nothing on any page in either colour scheme', async () => {
      await using watched = await watchedPage(browser, origin);
      await everyPage(watched, server, { inTheDark: true });
    });
    await t.test('axe finds nothing on any page on a phone', async () => {
      await using watched = await watchedPage(browser, origin, PHONE);
      await everyPage(watched, server, { inTheDark: false });
    });
    await t.test('an API user is made with the keyboard alone', () => byKeyboard(admin, server));
    await t.test('a new page’s heading has the focus, a closed dialog returns it', () => focus(admin));
    await t.test('without the server the page says so and recovers automatically', () => away(admin));
    admin.assertClean();
  } finally {
    await browser.close();
  }
});

async function everyPage(
  watched: WatchedPage,
  server: TestServer,
  colours: { inTheDark: boolean },
): Promise<void> {
  const { page } = watched;
  const check = async (what: string) => {
    await page.locator('.skeleton').first().waitFor({ state: 'detached' });
    await assertAccessible(page, what, colours);
    await assertFits(page, what);
  };
  await watched.go('/');
  await check('sign-in');
  await signIn(page, 'ada@example.com', PASSWORD);
  const user = `/api-users/${server.clientId}`;
  const { id } = await server.json<{ id: string }>('organisation', 'create', '--name', 'Agency');
  const agency = `/organisations/${id}`;
  for (const path of [
    '/',
    '/api-users',
    '/api-users?search=nobody-has-this-name',
    '/api-users/new',
    user,
    `${user}/edit`,
    `${user}/rotate`,
    '/api-users/api_00000000000000000000',
    '/organisations',
    '/organisations/new',
    agency,
    `${agency}/policy`,
    `${agency}/claims`,
    `/api-users/new?organisation_id=${id}`,
    '/organisations/org_00000000000000000000',
    '/audiences',
    '/audit',
    '/signing-keys',
    '/operators',
    '/profile',
  ]) {
    await watched.follow(path);
    await check(path);
  }
  await dialogs(watched, { user, agency }, check);
  watched.assertClean();
}

async function dialogs(
  watched: WatchedPage,
  { user, agency }: { user: string; agency: string },
  check: (what: string) => Promise<void>,
): Promise<void> {
  const { page } = watched;
  for (const [path, button] of [
    ['/api-users', 'Import'],
    [user, 'Leaked: cut it off now'],
    [user, 'Delete'],
    [user, /^Retire/],
    [user, /^Edit/],
    [user, 'Move'],
    [agency, 'Invite a member'],
    [agency, 'Disable'],
    ['/signing-keys', 'Rotate'],
    ['/operators', 'Invite'],
    ['/operators', /^Remove/],
    ['/profile', 'Turn on'],
  ] as const) {
    await watched.follow(path);
    await page.getByRole('main').getByRole('button', { name: button }).first().click();
    await page.getByRole('dialog').waitFor();
    await check(`${path}, ${String(button)}`);
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  }
}

async function byKeyboard(admin: WatchedPage, server: TestServer): Promise<void> {
  const { page } = admin;
  await admin.go('/api-users');
  await page.keyboard.press('/');
  assert.equal(await page.evaluate('document.activeElement.type'), 'search');
  await admin.go('/api-users/new');
  const { keyboard } = page;
  await keyboard.type('Made by keyboard'); // the name has the focus
  await keyboard.press('Tab');
  await keyboard.press('Tab');
  await keyboard.type('campaigns:read');
  await keyboard.press('Enter');
  await page.getByRole('list', { name: 'Scopes' }).getByText('campaigns:read').waitFor();
  await keyboard.press('Tab'); // Add
  await keyboard.press('Tab'); // Remove
  await keyboard.press('Tab'); // Limit
  await keyboard.type('60');
  await keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Made by keyboard is ready' }).waitFor();
  await shownCredentials(page, server);
  await focusByTab(page, 'checkbox');
  await keyboard.press('Space');
  await keyboard.press('Tab');
  await keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Made by keyboard', exact: true }).waitFor();
}

/** Presses Tab until a control of this type has the focus. */
async function focusByTab(page: Page, type: string): Promise<void> {
  for (let pressed = 0; pressed < 40; pressed++) {
    if ((await page.evaluate('document.activeElement.type')) === type) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`no ${type} is reached with Tab`);
}

async function focus({ page, go }: WatchedPage): Promise<void> {
  const focused = () => page.evaluate<string>('document.activeElement.textContent');
  await go('/');
  await page.getByRole('link', { name: 'Signing keys' }).click();
  await page.getByRole('heading', { name: 'Signing keys', level: 1 }).waitFor();
  assert.equal(await focused(), 'Signing keys');
  assert.equal(await page.title(), 'Signing keys · Mintmark');
  await page.getByRole('button', { name: 'Rotate' }).click();
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  assert.equal(await focused(), 'Rotate');

  await go('/');
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'Skip to content');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate('document.activeElement.id'), 'main');
}

async function away({ page, go }: WatchedPage): Promise<void> {
  await go('/signing-keys');
  await page.context().setOffline(true);
  await page.getByRole('link', { name: 'Operators' }).click();
  await page.getByText('The server cannot be reached').waitFor();
  await page.context().setOffline(false);
  await page.getByText('ada@example.com').first().waitFor();
  await page.getByText('The server cannot be reached').waitFor({ state: 'detached' });
}
