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
import { browser as apiBrowser, makeOperator, PASSWORD } from '@mintmark/test-support/operators';
import { newMember } from '@mintmark/test-support/organisations';
import { startServer, type TestServer } from '@mintmark/test-support/server';

const BERTA = 'berta@agency.example';
const CARL = 'carl@agency.example';

interface Scene {
  server: TestServer;
  /** Path of the agency's pages. */
  home: string;
  other: string;
  clientId: string;
}

void test('the portal is for everybody, everywhere', { timeout: 280_000 }, async (t) => {
  const opened = await openBrowser(t);
  if (opened === null) return;
  await using server = await startServer({ env: { MINTMARK_USAGE_FLUSH: '500' } });
  try {
    const scene = await setUp(server);
    await t.test('axe finds nothing on any page in either colour scheme', async () => {
      await using watched = await watchedPage(opened, originOf(server));
      await everyPage(watched, scene, { inTheDark: true });
      watched.assertClean();
    });
    await t.test('axe finds nothing on any page on a phone', async () => {
      await using watched = await watchedPage(opened, originOf(server), PHONE);
      await everyPage(watched, scene, { inTheDark: false });
      watched.assertClean();
    });
    await using berta = await watchedPage(opened, originOf(server));
    await enter(berta.page, scene, BERTA);
    await t.test('an API user is created with the keyboard alone', () => byKeyboard(berta.page, scene));
    await t.test('the page of another organisation is that of none', () => elsewhere(berta.page, scene));
    await t.test('typed input is kept until the person leaves on purpose', () => leaving(berta.page, scene));
    await t.test('a removed member leaves secrets, which are reset in one step', () =>
      remove(berta.page, scene),
    );
    await t.test('without a required second factor, the portal says what to do', () =>
      secondFactor(berta.page, scene),
    );
    berta.assertClean();
  } finally {
    await opened.close();
  }
});

function originOf(server: TestServer): string {
  return `http://localhost:${server.port}`;
}

async function setUp(server: TestServer): Promise<Scene> {
  const ada = apiBrowser(server);
  await makeOperator(server, 'ada@example.com', 'admin');
  await ada.signIn('ada@example.com');
  const agency = await newOrganisation(server, 'Northwind Agency');
  const shop = await newOrganisation(server, 'Southwind Shop');
  await newMember(server, ada, agency, { email: BERTA, role: 'admin' });
  const carl = await newMember(server, ada, agency, { email: CARL, role: 'member' });
  const made = await carl.portal('POST', `/organisations/${agency}/api-users`, {
    name: 'Nightly report',
    scopes: ['campaigns:read'],
  });
  assert.equal(made.status, 201, made.text);
  const secret = String(made.body['client_secret']);
  server.noteSecret(secret);
  const { client_id: clientId } = made.body['api_user'] as { client_id: string };
  await server.post({ client_id: clientId, client_secret: secret });
  return {
    server,
    home: `/portal/organisations/${agency}`,
    other: `/portal/organisations/${shop}`,
    clientId,
  };
}

async function newOrganisation(server: TestServer, name: string): Promise<string> {
  const parameters = ['--name', name, '--scope', 'campaigns:read'];
  return (await server.json<{ id: string }>('organisation', 'create', ...parameters)).id;
}

async function enter(page: Page, { server }: Scene, email: string): Promise<void> {
  await page.goto(`${originOf(server)}/portal`);
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  // There is one organisation, so there is nothing to choose.
  await page.getByRole('heading', { name: 'Northwind Agency', level: 1 }).waitFor();
}

async function everyPage(
  { page, follow }: WatchedPage,
  scene: Scene,
  colours: { inTheDark: boolean },
): Promise<void> {
  const { home, clientId, server } = scene;
  const check = async (what: string) => {
    await page.locator('.skeleton').first().waitFor({ state: 'detached' });
    await assertAccessible(page, what, colours);
    await assertFits(page, what);
  };
  await page.goto(`${originOf(server)}${home}`);
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await check('sign-in');
  await enter(page, scene, BERTA);
  const user = `${home}/api-users/${clientId}`;
  for (const path of [
    `${home}/`,
    `${home}/?search=nothing-has-this-name`,
    `${home}/api-users/new`,
    user,
    `${user}/edit`,
    `${user}/reset`,
    `${user}/add-key`,
    `${user}/trust`,
    `${user}/quickstart`,
    `${home}/api-users/api_00000000000000000000`,
    `${home}/reset?search=night`,
    `${home}/refused-requests?trace_id=${'0'.repeat(32)}`,
    `${home}/members`,
    `${home}/audit`,
    `${home}/profile`,
  ]) {
    await follow(path);
    await check(path);
  }
}

async function byKeyboard(page: Page, { home, server }: Scene): Promise<void> {
  await page.goto(`${originOf(server)}${home}/api-users/new`);
  await page.getByLabel('Name', { exact: true }).waitFor();
  const { keyboard } = page;
  await keyboard.type('Made by keyboard'); // the name has the focus
  await keyboard.press('Tab');
  await keyboard.press('Tab');
  await keyboard.press('Space'); // the first scope
  assert.ok(await page.getByRole('checkbox', { name: 'campaigns:read' }).isChecked());
  await keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Made by keyboard is ready' }).waitFor();
  server.noteSecret(await page.locator('.code-block pre').nth(1).innerText());
  await page.getByLabel('I have stored the secret').check();
  await page.getByRole('button', { name: 'Next: the program' }).press('Enter');
  await page.getByRole('heading', { name: 'Quickstart' }).waitFor();
}

async function elsewhere(page: Page, { other, server }: Scene): Promise<void> {
  for (const path of [other, '/portal/organisations/org_00000000000000000000/members']) {
    await page.goto(originOf(server) + path);
    await page.getByRole('heading', { name: 'There is no such organisation' }).waitFor();
    assert.ok(!(await page.locator('body').innerText()).includes('Southwind'));
  }
  await page.goto(`${originOf(server)}/console`);
  await page.getByRole('heading', { name: 'This is for operators' }).waitFor();
  await page.getByRole('link', { name: 'Go to the portal' }).click();
  await page.getByRole('heading', { name: 'Northwind Agency', level: 1 }).waitFor();
}

async function leaving(page: Page, { home, server }: Scene): Promise<void> {
  await page.goto(`${originOf(server)}${home}/api-users/new`);
  await page.getByLabel('Name', { exact: true }).fill('Half typed');
  await page.getByRole('link', { name: 'Members' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Stay here' }).click();
  assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'Half typed');
  await page.getByRole('link', { name: 'Members' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Leave' }).click();
  await page.getByRole('heading', { name: 'Members' }).waitFor();
}

async function remove(page: Page, { home, server }: Scene): Promise<void> {
  await page.goto(`${originOf(server)}${home}/members`);
  await page.getByRole('button', { name: `Remove ${CARL}` }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  const made = page.getByRole('dialog', { name: `What ${CARL} knows` });
  await made.getByText('Nightly report').waitFor();
  await made.getByRole('button', { name: 'Reset 1 credential' }).click();
  const shown = page.getByRole('dialog', { name: 'The new secrets' });
  const secret = await shown.locator('pre').first().innerText();
  server.noteSecret(secret);
  assert.match(secret, /^mms_/);
  assert.ok(await shown.getByRole('button', { name: 'Done' }).isDisabled(), 'the secret is shown once');
  await shown.getByLabel('I have stored the secrets').check();
  await shown.getByRole('button', { name: 'Done' }).click();
  await shown.waitFor({ state: 'detached' });
  assert.equal(await page.getByRole('rowheader', { name: CARL }).count(), 0);
}

async function secondFactor(page: Page, { home, server }: Scene): Promise<void> {
  const id = home.split('/').at(-1) ?? '';
  await server.cli('organisation', 'update', id, '--second-factor');
  await page.goto(originOf(server) + home);
  await page.getByRole('heading', { name: 'One more step' }).waitFor();
  await page.getByRole('link', { name: 'Go to your profile' }).click();
  await page.getByRole('button', { name: 'Turn on' }).waitFor();
}
