// Test setup: first.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { openBrowser, watchedPage, type WatchedPage } from '@mintmark/test-support/browser';
import {
  becomeFirstAdmin,
  importLines,
  PASSWORD,
  shownCredentials,
  signIn,
  signOut,
} from '@mintmark/test-support/console-journey';
import { startServer, type TestServer } from '@mintmark/test-support/server';

const SCRIPT = '<img src=x onerror=hacked()><script>hacked()</script>';

void test('the console keeps to itself what it is given', { timeout: 240_000 }, async (t) => {
  const browser = await openBrowser(t);
  if (browser === null) return;
  await using server = await startServer();
  try {
    await using admin = await watchedPage(browser, originOf(server));
    await becomeFirstAdmin(admin.page, server);
    await t.test('a script in every text field stays text on every page', () => storedScript(admin, server));
    await t.test('a session that ends under way loses nothing that was typed', () =>
      endedSession(admin, server),
    );
    await t.test('two who change the same API user do not overwrite each other', () => stale(admin, server));
    await t.test('a file is imported line by line, and refusals are shown', () => importFile(admin));
    await t.test('a list that failed to load is requested again automatically', () => passingFailure(admin));
    await t.test('the address after a sign-in cannot be chosen by a stranger', () => noRedirect(admin));
    await t.test('a viewer sees no button that changes anything', () => viewer(browser, admin, server));
    await t.test('a link that was used says what to do', () => usedLink(browser, admin, server));
    admin.assertClean();
  } finally {
    await browser.close();
  }
});

function originOf(server: TestServer): string {
  return `http://localhost:${server.port}`;
}

async function storedScript(admin: WatchedPage, server: TestServer): Promise<void> {
  const { page } = admin;
  await page.exposeFunction('hacked', () => assert.fail('a stored script ran'));
  await admin.go('/api-users/new');
  await page.getByLabel('Name', { exact: true }).fill(`${SCRIPT} one`);
  await page.getByLabel('Contact').fill(SCRIPT);
  await page.getByText('More: networks').click();
  await page.getByLabel('Username').fill('"><svg/onload=hacked()>');
  await page.getByLabel('Its name').fill(SCRIPT);
  await page.getByRole('button', { name: 'Create' }).click();
  const { clientId } = await shownCredentials(page, server);
  await page.getByLabel('I have stored the secret').check();
  await page.getByRole('button', { name: 'Done' }).click();
  await page.getByRole('heading', { name: `${SCRIPT} one` }).waitFor();
  await page.getByText(SCRIPT).first().waitFor();

  // In the query of the address, which ends up in the fields of the filters.
  for (const path of [
    `/api-users?search=${encodeURIComponent(SCRIPT)}`,
    `/audit?actor=${encodeURIComponent(SCRIPT)}&subject=${encodeURIComponent(SCRIPT)}`,
    `/api-users/${clientId}/edit`,
    `/api-users/${clientId}/rotate`,
    `/api-users/${encodeURIComponent(SCRIPT)}`,
    '/audit',
    '/',
  ]) {
    await admin.go(path);
    await page.waitForLoadState('networkidle').catch(() => undefined); // the stream of events goes on
  }
}

async function endedSession(admin: WatchedPage, server: TestServer): Promise<void> {
  const { page } = admin;
  await admin.go('/api-users/new');
  await page.getByLabel('Name', { exact: true }).fill('Half typed');
  // Ended elsewhere: by its operator in another browser, or by time.
  await page.context().clearCookies();
  await page.getByRole('button', { name: 'Create' }).click();
  const dialog = page.getByRole('dialog', { name: 'Your session has ended' });
  await dialog.waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  // Nothing goes on without signing in: a second Escape closes any dialog, and this one comes again.
  await dialog.waitFor();
  assert.equal(await dialog.getByLabel('E-mail address').inputValue(), 'ada@example.com');
  await dialog.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await dialog.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Half typed is ready' }).waitFor();
  await shownCredentials(page, server);

  // A secret that is being shown outlives the session, too.
  await page.context().clearCookies();
  await dialog.waitFor();
  assert.match(await page.locator('.code-block pre').nth(1).innerText(), /^mms_/);
  await dialog.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await dialog.getByRole('button', { name: 'Sign in' }).click();
  await dialog.waitFor({ state: 'detached' });
  await page.getByLabel('I have stored the secret').check();
  await page.getByRole('button', { name: 'Done' }).click();
  await page.getByRole('heading', { name: 'Half typed', exact: true }).waitFor();
}

async function stale(admin: WatchedPage, server: TestServer): Promise<void> {
  const { page } = admin;
  const { client_id: clientId } = await server.json<{ client_id: string }>(
    'api-user',
    'create',
    '--name',
    'Feed',
  );
  await admin.go(`/api-users/${clientId}/edit`);
  await page.getByLabel('Contact').fill('mine@example.com');
  await server.cli('api-user', 'update', clientId, '--name', 'Feed of theirs');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Another operator changed this API user').waitFor();
  assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'Feed of theirs');
  assert.equal(await page.getByLabel('Contact').inputValue(), 'mine@example.com');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('heading', { name: 'Feed of theirs' }).waitFor();
  const now = await server.json<{ name: string; contact: string }>('api-user', 'show', clientId);
  assert.deepEqual([now.name, now.contact], ['Feed of theirs', 'mine@example.com']);
}

async function importFile(admin: WatchedPage): Promise<void> {
  const { page } = admin;
  await admin.go('/api-users');
  const lines = ['{"name": "From a file", "scopes": ["campaigns:read"]}', '{"name": ""}', 'no JSON'];
  const dialog = await importLines(page, lines);
  await dialog.getByText('1 API user created, 2 refused, 0 there already').waitFor();
  await dialog.getByText('Line 2').waitFor();
  await dialog.getByRole('button', { name: 'Close' }).last().click();
  await page.getByRole('link', { name: 'From a file' }).waitFor();
}

async function passingFailure({ page, go }: WatchedPage): Promise<void> {
  const failure = JSON.stringify({
    type: 'urn:mintmark:problem:unavailable',
    title: 'The store cannot be used at the moment',
    status: 503,
    detail: 'Try again.',
    code: 'unavailable',
    trace_id: '0'.repeat(32),
  });
  const unavailable = { status: 503, contentType: 'application/problem+json', body: failure };
  for (const [path, title] of [
    ['/api-users', 'API users'],
    ['/audit', 'Audit'],
  ] as const) {
    const isList = (url: URL) => url.pathname.endsWith(`/admin/v1${path}`);
    await page.route(isList, (route) => route.fulfill(unavailable), { times: 1 });
    await go(path);
    await page.getByRole('heading', { name: title }).waitFor();
    await page.getByText('Try again.').waitFor();
    await page.getByText('Try again.').waitFor({ state: 'detached' });
    await page.locator('.audit-entry, tbody tr').first().waitFor();
  }
}

async function noRedirect(admin: WatchedPage): Promise<void> {
  const { page } = admin;
  await signOut(page);
  await admin.go('/sign-in?next=https://example.org/&return_to=//example.org');
  await signIn(page, 'ada@example.com', PASSWORD);
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
}

async function invite(admin: WatchedPage, server: TestServer, email: string, role: string): Promise<string> {
  const { page } = admin;
  await admin.go('/operators');
  await page.getByRole('button', { name: 'Invite' }).click();
  await page.getByLabel('E-mail address').fill(email);
  await page.getByRole('radio', { name: new RegExp(`^${role}`) }).check();
  await page.getByRole('button', { name: 'Create the link' }).click();
  const link = await page.getByRole('dialog').locator('pre').innerText();
  server.noteSecret(link.split('#')[1] ?? link);
  await page.getByRole('button', { name: 'I have passed it on' }).click();
  return link;
}

async function accept(page: Page, link: string): Promise<void> {
  await page.goto(link);
  await page.getByLabel('New password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Set the password and sign in' }).click();
  await page.getByRole('heading', { name: 'Profile' }).waitFor();
}

/** Words on buttons that change something. What a viewer tries without them is refused by the admin API, as its tests say. */
const CHANGES =
  /new|create|edit|retire|rotate|invite|remove|reset|role|disable|enable|revoke|delete|cut it off|import/i;

async function viewer(browser: Browser, admin: WatchedPage, server: TestServer): Promise<void> {
  const link = await invite(admin, server, 'viewer@example.com', 'Viewer');
  await using watched = await watchedPage(browser, originOf(server));
  const { page } = watched;
  await accept(page, link);
  const { clientId } = server;
  for (const path of ['/', '/api-users', `/api-users/${clientId}`, '/audit', '/signing-keys', '/operators']) {
    await watched.go(path);
    await page.locator('[aria-busy="true"]').first().waitFor({ state: 'detached' });
    const names = await page.getByRole('main').locator('button, a.button').allInnerTexts();
    assert.deepEqual(
      names.filter((name) => CHANGES.test(name)),
      [],
      path,
    );
  }
  for (const path of ['/api-users/new', `/api-users/${clientId}/rotate`]) {
    await watched.go(path);
    await page.getByText('Your role is read-only').waitFor();
  }
  watched.assertClean();
}

async function usedLink(browser: Browser, admin: WatchedPage, server: TestServer): Promise<void> {
  const link = await invite(admin, server, 'operator@example.com', 'Operator');
  await using first = await watchedPage(browser, originOf(server));
  await accept(first.page, link);
  await using second = await watchedPage(browser, originOf(server));
  await second.page.goto(link);
  await second.page.getByText('Ask an admin for a new link').waitFor();
  assert.equal(new URL(second.page.url()).hash, '');
  await second.page.reload();
  await second.page.getByText('This page needs the complete link').waitFor();
}
