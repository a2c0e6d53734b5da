// Test setup: first.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Locator } from 'playwright-core';
import {
  assertAccessible,
  assertFits,
  openBrowser,
  PHONE,
  watchedPage,
  type WatchedPage,
} from '@mintmark/test-support/browser';
import { becomeFirstAdmin, PASSWORD, signIn } from '@mintmark/test-support/console-journey';
import { eventually } from '@mintmark/test-support/eventually';
import { startServer, type TestServer } from '@mintmark/test-support/server';

// Charts that say what is known, pages without a dead end, and long lists on a phone.

interface Made {
  client_id: string;
  client_secret: string;
}

const LONG_NAME = `Importer of ${'everything '.repeat(17)}`.slice(0, 199) + '!';
const REFUSALS = 24;

void test('charts and addresses of the console', { timeout: 240_000 }, async (t) => {
  const browser = await openBrowser(t);
  if (browser === null) return;
  await using server = await startServer({
    env: { MINTMARK_USAGE_FLUSH: '500', MINTMARK_FAILURE_LIMIT: '100000' },
  });
  try {
    const origin = `http://localhost:${server.port}`;
    await using admin = await watchedPage(browser, origin);
    await becomeFirstAdmin(admin.page, server);
    await using phone = await watchedPage(browser, origin, PHONE);
    await phone.go('/');
    await signIn(phone.page, 'ada@example.com', PASSWORD);
    const refused = await server.json<Made>('api-user', 'create', '--name', 'Refused importer');
    const other = await server.json<Made>('api-user', 'create', '--name', LONG_NAME);
    server.noteSecret(refused.client_secret);
    server.noteSecret(other.client_secret);
    // Both were made by another process, of which the server has to hear.
    await eventually(
      async () => {
        const ready = await (await fetch(`${origin}/readyz`)).json();
        return (ready as { api_users_in_memory: number }).api_users_in_memory === 3;
      },
      15_000,
      'the server knows both',
    );
    assert.equal((await server.post({ ...other })).status, 200);
    for (let i = 0; i < REFUSALS; i++) {
      await server.post({ client_id: refused.client_id, client_secret: other.client_secret });
    }
    await t.test('legends have the sum of the shown time, from the first second', () =>
      legends(admin, refused.client_id),
    );
    await t.test('the overview names a caller that is refused', () => names(admin));
    await t.test('what is not known is said to be unknown', () => unknown(admin, refused.client_id));
    await t.test('a single point is drawn', () => points(admin));
    await t.test('each page of an unknown client id says so', () => unknownIds(admin));
    await t.test('bad parameters of an address lead to the default', () => parameters(admin));
    await t.test('an unknown address has a page of the console', () => notFound(admin, origin));
    await t.test('a conflict on one field shows both values', () => conflict(admin, server, refused));
    await t.test('a name of 200 characters is cut, and can be read whole', () =>
      longName(admin, phone, other.client_id),
    );
    await t.test('the audit log shows names and is searched by a part', () => audit(admin, server));
    await t.test('the export has what the list shows', () => exported(admin));
    await t.test('on a phone the first row is on the first screen', () => firstRow(phone));
    admin.assertClean();
    phone.assertClean();
  } finally {
    await browser.close();
  }
});

function legendOf(card: Locator, label: string): Locator {
  return card.locator('.legend li').filter({ hasText: label }).locator('strong');
}

async function sumIs(card: Locator, label: string, sum: number): Promise<void> {
  const legend = legendOf(card, label);
  await legend.waitFor();
  await eventually(async () => (await legend.innerText()) === String(sum), 15_000, `${label} ${sum}`);
}

async function legends({ page, go }: WatchedPage, clientId: string): Promise<void> {
  await go('/');
  const card = page.getByRole('region', { name: 'Tokens and refusals' });
  await sumIs(card, 'unknown secret', REFUSALS);
  await sumIs(card, 'Tokens', 1);
  for (const span of ['3 h', '48 h', '90 days']) {
    await card.getByText(span, { exact: true }).click();
    await sumIs(card, 'unknown secret', REFUSALS);
  }
  await go(`/api-users/${clientId}`);
  const use = page.getByRole('region', { name: 'Use', exact: true });
  await sumIs(use, 'unknown secret', REFUSALS);
  await use.getByText('3 h', { exact: true }).click();
  await sumIs(use, 'unknown secret', REFUSALS);
}

async function names({ page, go }: WatchedPage): Promise<void> {
  const item = page
    .getByRole('region', { name: 'Needs attention' })
    .getByRole('listitem')
    .filter({ hasText: 'Refused importer' });
  // The server looks every few seconds, and the page asks four times a minute: a reload is sooner.
  await eventually(
    async () => {
      await go('/');
      await page.getByRole('region', { name: 'Needs attention' }).waitFor();
      return (await item.count()) === 1;
    },
    15_000,
    'it is named',
  );
  await item.getByText(`Refused ${REFUSALS} times in the last hour: unknown secret`).waitFor();
  await assertAccessible(page, 'the overview');
}

/** Everything that a chart or a tile shows. */
const COUNTED = /\/admin\/v1\/(events|overview|usage|api-users\/[^/]+\/usage)(\?|$)/;

async function unknown({ page, go }: WatchedPage, clientId: string): Promise<void> {
  for (const path of ['/', `/api-users/${clientId}`]) {
    await page.route(COUNTED, (route) => route.abort());
    await go('/operators');
    const link = page.getByRole('link', { name: path === '/' ? 'Overview' : 'API users' }).first();
    await link.click();
    if (path !== '/') await page.getByRole('link', { name: 'Refused importer' }).click();
    const card = page.getByRole('region', { name: path === '/' ? 'Tokens and refusals' : 'Use' });
    for (const span of ['Live', '3 h', '48 h', '90 days']) {
      await card.getByText(span, { exact: true }).click();
      await card
        .getByText(/unknown/i)
        .first()
        .waitFor();
      assert.doesNotMatch(await card.innerText(), /Nothing was refused/, `${path} ${span}`);
    }
    if (path === '/') {
      assert.doesNotMatch(await page.getByRole('main').innerText(), /Nothing does\./);
    }
    await page.unroute(COUNTED);
  }
  // Data that came before the server went away: its sums stay, with what is unknown since.
  await go('/');
  const card = page.getByRole('region', { name: 'Tokens and refusals' });
  await sumIs(card, 'unknown secret', REFUSALS);
  await card.getByText('48 h', { exact: true }).click();
  await sumIs(card, 'unknown secret', REFUSALS);
  await page.route('**/admin/v1/**', (route) => route.abort());
  await page
    .getByRole('alert')
    .filter({ hasText: 'The server cannot be reached' })
    .waitFor({ timeout: 40_000 });
  await card.getByText(/Unknown, and not in the sums/).waitFor();
  await page.unroute('**/admin/v1/**');
}

async function points({ page, go }: WatchedPage): Promise<void> {
  await go('/');
  const card = page.getByRole('region', { name: 'Time per token' });
  await card.locator('canvas').waitFor();
  // The server answered in some seconds only, each between seconds without a request.
  const pixels = () =>
    page.evaluate<number>(`(() => {
    const canvas = [...document.querySelectorAll('.chart canvas')].at(-1);
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const colour = getComputedStyle(document.querySelector('.chart .swatch-3')).backgroundColor;
    const [r, g, b] = colour.match(/\\d+/g).map(Number);
    let found = 0;
    for (let i = 0; i < data.length; i += 4) {
      const near = Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b) < 12;
      if (near && data[i + 3] > 200) found += 1;
    }
    return found;
  })()`);
  await eventually(async () => (await pixels()) > 8, 15_000, 'a point is drawn');
}

async function unknownIds({ page, go }: WatchedPage): Promise<void> {
  for (const end of ['', '/edit', '/first-secret', '/reset', '/rotate', '/cut-off']) {
    await go(`/api-users/api_00000000000000000000${end}`);
    await page.getByRole('heading', { name: 'There is no such API user' }).waitFor();
    await page.getByRole('link', { name: 'API users' }).first().waitFor();
  }
}

async function parameters({ page, go }: WatchedPage): Promise<void> {
  for (const query of ['sort=bogus', 'state=bogus', `search=${'x'.repeat(201)}`, 'scope=%00', 'search=%0a']) {
    await go(`/api-users?${query}`);
    await page.getByText('Part of the address was ignored').waitFor();
    await page.getByRole('link', { name: 'Refused importer' }).waitFor();
    assert.doesNotMatch(page.url(), /bogus|xxx|%0/);
  }
  for (const query of [
    'outcome=bogus',
    'action=bogus',
    'from=yesterday',
    `search=${'x'.repeat(301)}`,
    'actor=%00',
  ]) {
    await go(`/audit?${query}`);
    await page.getByText('Part of the address was ignored').waitFor();
    await page.getByRole('region', { name: 'Entries' }).getByText('API user created').first().waitFor();
  }
}

async function notFound({ page, go }: WatchedPage, origin: string): Promise<void> {
  for (const path of ['/nowhere', '/api-users/a/b/c']) {
    const response = await fetch(`${origin}/console${path}`);
    assert.equal(response.status, 404);
    await go(path);
    await page.getByRole('heading', { name: 'There is no such page' }).waitFor();
    await page.getByRole('navigation', { name: 'Console' }).waitFor();
    await page.getByRole('link', { name: 'Go to the start page' }).waitFor();
  }
  await page.goto(`${origin}/console/api-users/%E0%A4%A`);
  await page.getByRole('heading', { name: 'There is no such page' }).waitFor();
}

async function conflict(
  { page, go }: WatchedPage,
  server: TestServer,
  { client_id: id }: Made,
): Promise<void> {
  await go(`/api-users/${id}/edit`);
  await page.getByLabel('Name', { exact: true }).fill('Name of mine');
  await server.cli('api-user', 'update', id, '--name', 'Name of theirs');
  await page.getByRole('button', { name: 'Save' }).click();
  const notice = page.getByRole('alert').filter({ hasText: 'Another operator changed' });
  await notice.getByText('Name of theirs').waitFor();
  await notice.getByText('Name of mine').waitFor();
  assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'Name of mine');
  await notice.getByRole('button', { name: 'Take theirs' }).click();
  assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'Name of theirs');
  await assertAccessible(page, 'a conflict');
  await page.getByLabel('Name', { exact: true }).fill('Refused importer');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('heading', { name: 'Refused importer' }).waitFor();
}

async function longName(admin: WatchedPage, phone: WatchedPage, clientId: string): Promise<void> {
  for (const { page, go } of [admin, phone]) {
    await go(`/api-users/${clientId}`);
    const heading = page.getByRole('heading', { level: 1 });
    await heading.getByText('Importer of').waitFor();
    assert.ok(((await heading.boundingBox())?.height ?? 999) < 110, 'three lines at most');
    assert.ok((await page.title()).length < 100, await page.title());
    await page.getByRole('button', { name: 'Whole name' }).click();
    assert.equal(await heading.innerText(), LONG_NAME);
    await assertFits(page, 'a long name');
    await go('/api-users');
    const row = page.getByRole('row').filter({ hasText: 'Importer of' });
    assert.ok(((await row.getByRole('rowheader').boundingBox())?.height ?? 999) < 130, 'a row');
  }
}

async function audit({ page, go }: WatchedPage, server: TestServer): Promise<void> {
  const gone = await server.json<Made>('api-user', 'create', '--name', 'Old bidder');
  server.noteSecret(gone.client_secret);
  await server.cli('api-user', 'delete', gone.client_id, '--force');
  await go('/audit');
  const entries = page.getByRole('region', { name: 'Entries' });
  await entries.getByText('Old bidder').first().waitFor();
  await page.getByLabel('Search the audit log').fill('d BIDD');
  await eventually(
    async () => (await entries.getByRole('listitem').count()) === 3,
    15_000,
    'only its entries',
  );
  for (const text of await entries.getByRole('listitem').allInnerTexts()) assert.match(text, /Old bidder/);
  const href = await page.getByRole('link', { name: 'Export' }).getAttribute('href');
  assert.match(href ?? '', /search=d\+BIDD/);
  await assertAccessible(page, 'the audit log');
}

async function exported({ page, go }: WatchedPage): Promise<void> {
  await go('/api-users?search=refused&state=enabled');
  const link = page.getByRole('link', { name: 'Export' });
  assert.match((await link.getAttribute('href')) ?? '', /\/api-users\/export\?search=refused&state=enabled$/);
}

async function firstRow({ page, go }: WatchedPage): Promise<void> {
  await go('/api-users');
  const row = page.locator('tbody tr').first();
  await row.waitFor();
  const top = (await row.boundingBox())?.y ?? 999;
  assert.ok(top < 320, `the first API user begins at ${top} px`);
  await assertAccessible(page, 'API users on a phone');
  await go('/audit');
  const entry = page.getByRole('region', { name: 'Entries' }).getByRole('listitem').first();
  await entry.waitFor();
  const entryTop = (await entry.boundingBox())?.y ?? 999;
  assert.ok(entryTop < 560, `the first entry begins at ${entryTop} px`);
  await assertFits(page, 'the audit log on a phone');
}
