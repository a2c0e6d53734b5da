// From the first admin to a leak that is cut off, in one browser window.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { assertFits, openBrowser, watchedPage } from '@mintmark/test-support/browser';
import {
  becomeFirstAdmin,
  downloaded,
  nextCode,
  PASSWORD,
  runCurl,
  shownCredentials,
  signIn,
  signOut,
  startCaller,
  turnOnSecondFactor,
  type ShownCredentials,
} from '@mintmark/test-support/console-journey';
import { startServer, type TestServer } from '@mintmark/test-support/server';
import { eventually } from '@mintmark/test-support/eventually';

const SETTINGS = { MINTMARK_USAGE_FLUSH: '500', MINTMARK_API_USER_LIMIT: '100000' };

export async function journey(t: TestContext, viewport: BrowserContextOptions): Promise<void> {
  const browser = await openBrowser(t);
  if (browser === null) return;
  await using server = await startServer({ env: SETTINGS });
  try {
    const origin = `http://localhost:${server.port}`;
    await using watched = await watchedPage(browser, origin, { reducedMotion: 'no-preference', ...viewport });
    const { page } = watched;

    await t.test('the terminal’s link makes the first admin and leaves the address bar', async () => {
      await becomeFirstAdmin(page, server);
      assert.equal(new URL(page.url()).hash, '');
      await page.goBack();
      assert.equal(new URL(page.url()).hash, '', 'it is not in the history either');
      await watched.go('/profile');
    });

    await t.test('with the second factor on, the password alone does not sign in', async () => {
      const { totp, recoveryCodes } = await turnOnSecondFactor(page, server);
      assert.equal(recoveryCodes.length, 10);
      await signOut(page);
      await signIn(page, 'ada@example.com', PASSWORD, await nextCode(totp));
    });

    let made: ShownCredentials | undefined;
    await t.test('curl gets a token with the secret of a new API user', async () => {
      made = await createApiUser(page, server);
    });
    assert.ok(made !== undefined);
    const { clientId } = made;

    await t.test('a rotation under live traffic refuses nobody', () =>
      rotate(page, server, made as ShownCredentials),
    );
    await t.test('a leak is cut off in one confirmed step', () => cutOff(page, server, clientId));
    await t.test('the audit log shows all of it', () => audit(page));
    await assertFits(page, 'the audit log');
    watched.assertClean();
  } finally {
    await browser.close();
  }
}

async function createApiUser(page: Page, server: TestServer): Promise<ShownCredentials> {
  await page.getByRole('link', { name: 'API users' }).click();
  await page.getByRole('link', { name: 'New API user' }).click();
  await page.getByLabel('Name', { exact: true }).fill('Importer');
  await page.getByLabel('Contact').fill('feeds@example.com');
  await page.getByLabel('Scopes').fill('campaigns:read');
  await page.getByLabel('Scopes').press('Enter');
  await page.getByLabel('Its name').fill('production');
  await page.getByRole('button', { name: 'Create' }).click();
  await page.getByRole('heading', { name: 'Importer is ready' }).waitFor();
  const shown = await shownCredentials(page, server);
  await assertFits(page, 'the page with the secret');

  const env = await downloaded(page, page.getByRole('button', { name: '.env' }));
  assert.equal(env, `MINTMARK_CLIENT_ID=${shown.clientId}\nMINTMARK_CLIENT_SECRET=${shown.secret}\n`);
  const text = await downloaded(page, page.getByRole('button', { name: '.txt' }));
  assert.ok(text.includes(shown.curl) && text.includes(shown.secret));

  await page.getByText('Waiting for the first token').waitFor();
  const answer = await runCurl(shown.curl, server);
  assert.equal(answer['token_type'], 'Bearer', JSON.stringify(answer));
  await page.getByText('It works.').waitFor();

  // One does not lose it by a wrong tap.
  await page.getByRole('link', { name: 'Overview' }).click();
  const asked = page.getByRole('dialog', { name: 'Leave without the secret?' });
  await asked.getByRole('button', { name: 'Stay here' }).click();
  await page.getByLabel('I have stored the secret').check();
  await page.getByRole('button', { name: 'Done' }).click();
  await page.getByRole('heading', { name: 'Importer', exact: true }).waitFor();
  return shown;
}

async function rotate(page: Page, server: TestServer, old: ShownCredentials): Promise<void> {
  const caller = startCaller(server, old.clientId, old.secret);
  try {
    await page.getByRole('main').getByRole('link', { name: 'New secret' }).first().click();
    await page.getByLabel('Name of the new secret').fill('production, new');
    await page.getByRole('button', { name: 'Create the secret' }).click();
    const next = await shownCredentials(page, server);
    assert.equal(next.clientId, old.clientId);
    await page.getByLabel('I have stored the secret').check();
    await page.getByRole('button', { name: 'Next: the old secret' }).click();

    const watch = page.getByRole('listitem').filter({ hasText: 'Retire the old one' });
    const oldOne = watch.getByRole('listitem').filter({ hasText: old.secret.slice(4, 14) });
    const newOne = watch.getByRole('listitem').filter({ hasText: next.secret.slice(4, 14) });
    await oldOne.getByText('in use').waitFor();
    await newOne.getByText('Not used yet').waitFor();
    await oldOne.getByText(/\d+ tokens? since you opened this page/).waitFor();
    await oldOne.getByText(/Not yet: it was used|Not yet: its successor/).waitFor();

    // The program is moved to the new secret: it is seen to be used, and the old one to be quiet.
    caller.secret = next.secret;
    await newOne.getByText(/Last used (just now|\d+ s ago)/).waitFor();
    await oldOne.getByText(/quiet for \d+ s/).waitFor();

    await oldOne.getByRole('button', { name: 'Retire' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('A caller could fail').waitFor();
    assert.ok(
      await dialog.getByRole('button', { name: 'Retire' }).isDisabled(),
      'the objection holds it back',
    );
    await dialog.getByLabel('Retire it anyway').check();
    await dialog.getByRole('button', { name: 'Retire' }).click();
    await page.getByText('Only the new secret is live').waitFor();
    const before = caller.tokens;
    await eventually(() => caller.tokens > before + 5, 15_000, 'the program goes on');
  } finally {
    await caller.stop();
  }
  assert.deepEqual(caller.refused, []);
  assert.ok(caller.tokens > 20);
  const refused = await server.post({ client_id: old.clientId, client_secret: old.secret });
  assert.equal(refused.status, 403);
}

async function cutOff(page: Page, server: TestServer, clientId: string): Promise<void> {
  await page.getByRole('link', { name: 'Back to the API user' }).click();
  await page.getByRole('button', { name: 'Leaked: cut it off now' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Create a new secret now').waitFor();
  await dialog.getByRole('button', { name: 'Cut it off' }).click();
  const fresh = await shownCredentials(page, server);
  assert.equal(fresh.clientId, clientId);
  const answer = await runCurl(fresh.curl, server);
  assert.equal(answer['token_type'], 'Bearer', JSON.stringify(answer));
  await page.getByText('It works.').waitFor();
  const live = await server.json<{ state: string }[]>('credential', 'list', clientId);
  assert.equal(live.filter(({ state }) => state === 'live').length, 1, 'nothing but the new one works');
  await page.getByLabel('I have stored the secret').check();
  await page.getByRole('button', { name: 'Done' }).click();
}

async function audit(page: Page): Promise<void> {
  await page.getByRole('link', { name: 'Audit' }).click();
  await page.getByText(/The chain of \d+ entries is whole/).waitFor();
  const entries = page.getByRole('region', { name: 'Entries' });
  for (const what of [
    'Cut off after a leak',
    'Credential retired',
    'Secret created',
    'API user created',
    'Signed in',
    'Second factor turned on',
  ]) {
    await entries.getByText(what).first().waitFor();
  }
  await entries.getByText('API user created').first().click();
  const opened = entries.getByRole('listitem').filter({ hasText: 'API user created' }).first();
  await opened.getByText('campaigns:read').waitFor();
  await opened.getByText('ada@example.com').first().waitFor();
}
