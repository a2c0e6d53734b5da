// From an agency's invitation to its end, with three people in three browsers.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { assertAccessible, assertFits, openBrowser, watchedPage } from '@mintmark/test-support/browser';
import { temporaryFolder } from '@mintmark/test-support/command-line';
import {
  becomeFirstAdmin,
  PASSWORD,
  shownCredentials,
  startCaller,
  type Caller,
  type ShownCredentials,
} from '@mintmark/test-support/console-journey';
import { authlibPython } from '@mintmark/test-support/debian-programs';
import { eventually } from '@mintmark/test-support/eventually';
import { startServer, type TestServer } from '@mintmark/test-support/server';

const SETTINGS = { MINTMARK_USAGE_FLUSH: '500', MINTMARK_API_USER_LIMIT: '100000' };
const AGENCY = 'Northwind Agency';
const BERTA = 'berta@agency.example';
const CARL = 'carl@agency.example';

/** What one of the people has open. */
interface Desk {
  page: Page;
  server: TestServer;
}

export async function organisationJourney(t: TestContext, viewport: BrowserContextOptions): Promise<void> {
  const browser = await openBrowser(t);
  if (browser === null) return;
  await using server = await startServer({ env: SETTINGS });
  const origin = `http://localhost:${server.port}`;
  let job: Caller | undefined;
  try {
    await using ada = await watchedPage(browser, origin, viewport);
    await using berta = await watchedPage(browser, origin, viewport);
    await using carl = await watchedPage(browser, origin, viewport);
    const [operator, admin, member] = [ada, berta, carl].map(({ page }) => ({ page, server })) as [
      Desk,
      Desk,
      Desk,
    ];

    let forBerta = '';
    await t.test('an operator creates the agency and invites its admin', async () => {
      await becomeFirstAdmin(ada.page, server);
      await createAgency(operator);
      forBerta = await invite(operator, 'Invite a member', { email: BERTA, role: 'Admin' });
    });
    await t.test('the admin joins and invites a colleague, who joins', async () => {
      await joinBy(admin, forBerta);
      await berta.page.getByRole('link', { name: 'Members' }).click();
      await joinBy(member, await invite(admin, 'Invite', { email: CARL, role: 'Member' }));
    });
    let made: ShownCredentials | undefined;
    await t.test('the colleague creates an API user within the policy', async () => {
      made = await createApiUser(member);
    });
    const { clientId, secret } = made as unknown as ShownCredentials;
    await t.test('the shown Python program gets a token, which the page sees', () =>
      runPython(member, secret),
    );
    job = startCaller(server, clientId, secret);
    const caller = job;
    await t.test('a forgotten secret is reset while a job runs, which notices nothing', () =>
      resetForgotten(member, caller),
    );
    await t.test('a refused call is found by its trace id, with the reason', () =>
      findRefused(member, clientId, caller.secret),
    );
    await t.test('the agency’s admin sees her part of the audit log', () => partOfAudit(admin));
    await t.test('an operator sees the portal read-only, which is audited', () => viewAs(operator));
    await t.test('a stricter policy names what it forbids before it is saved', () =>
      tighten(operator, clientId),
    );
    await t.test('a disabled agency gets no tokens, and its people see nothing', () =>
      disable(operator, admin, caller),
    );
    await t.test('the audit log shows all of it', () => wholeAudit(operator));
    for (const watched of [ada, berta, carl]) watched.assertClean();
  } finally {
    await job?.stop();
    await browser.close();
  }
}

async function createAgency({ page }: Desk): Promise<void> {
  await page.getByRole('link', { name: 'Organisations' }).click();
  await page.getByText('There are no organisations yet').waitFor();
  await page.getByRole('link', { name: 'New organisation' }).first().click();
  await page.getByLabel('Name', { exact: true }).fill(AGENCY);
  for (const scope of ['campaigns:read', 'reports:read']) {
    await page.getByRole('textbox', { name: 'Scopes' }).fill(scope);
    await page.getByRole('textbox', { name: 'Scopes' }).press('Enter');
  }
  await page.getByLabel('Tokens per hour').fill('100000');
  await check(page, 'the form of an organisation');
  await page.getByRole('button', { name: 'Create' }).click();
  await page.getByRole('heading', { name: AGENCY, level: 1 }).waitFor();
}

async function check(page: Page, what: string): Promise<void> {
  await page.locator('.skeleton').first().waitFor({ state: 'detached' });
  await assertAccessible(page, what);
  await assertFits(page, what);
}

async function invite(
  { page, server }: Desk,
  button: string,
  { email, role }: { email: string; role: string },
): Promise<string> {
  await page.getByRole('main').getByRole('button', { name: button }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('E-mail address').fill(email);
  await dialog.getByRole('radio', { name: new RegExp(`^${role}`) }).check();
  await dialog.getByRole('button', { name: 'Create the link' }).click();
  await page.getByRole('dialog', { name: `A link for ${email}` }).waitFor();
  const link = await page.getByRole('dialog').locator('pre').innerText();
  server.noteSecret(link.split('#')[1] ?? link);
  await page.getByRole('button', { name: 'I have passed it on' }).click();
  await page.getByText(email).first().waitFor();
  return link;
}

/** The link names the address of the issuer, which is the server's. */
async function joinBy({ page, server }: Desk, link: string): Promise<void> {
  const { hash, pathname } = new URL(link);
  assert.equal(pathname, '/portal/welcome');
  await page.goto(`http://localhost:${server.port}${pathname}${hash}`);
  await page.getByText(AGENCY).first().waitFor();
  assert.equal(new URL(page.url()).hash, '', 'the token leaves the address bar');
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await check(page, 'the page of an invitation');
  await page.getByRole('button', { name: `Join ${AGENCY}` }).click();
  await page.getByRole('heading', { name: AGENCY, level: 1 }).waitFor();
}

async function createApiUser({ page, server }: Desk): Promise<ShownCredentials> {
  await page.getByText('There are no API users yet').waitFor();
  await check(page, 'the start page');
  await page.getByRole('link', { name: 'Create API user' }).first().click();
  await page.getByLabel('Name', { exact: true }).fill('Nightly report');
  await page.getByRole('checkbox', { name: 'campaigns:read' }).check();
  assert.equal(await page.getByLabel('Username').count(), 0, 'members choose no username');
  await check(page, 'the form of an API user');
  await page.getByRole('button', { name: 'Create' }).click();
  await page.getByRole('heading', { name: 'Nightly report is ready' }).waitFor();
  const shown = await shownCredentials(page, server);
  await page.getByLabel('I have stored the secret').check();
  await page.getByRole('button', { name: 'Next: the program' }).click();
  await page.getByRole('heading', { name: 'Quickstart' }).waitFor();
  return shown;
}

async function runPython({ page }: Desk, secret: string): Promise<void> {
  await page.getByText('Start the program now').waitFor();
  await check(page, 'the quickstart');
  await page.getByRole('radio', { name: 'Python' }).check({ force: true });
  const program = await page.locator('.code-block pre').first().innerText();
  assert.ok(!program.includes(secret));
  const file = join(temporaryFolder(), 'quickstart.py');
  writeFileSync(file, program);
  const env = { MINTMARK_CLIENT_SECRET: secret };
  const { stdout } = await promisify(execFile)(authlibPython() ?? 'python3', [file], { env });
  assert.match(stdout, /It works: got a token/);
  await page.getByText(/A token was issued at/).waitFor();
}

async function resetForgotten({ page, server }: Desk, job: Caller): Promise<void> {
  await page.getByRole('link', { name: 'API users' }).click();
  await page.getByRole('link', { name: 'Forgot your credentials?' }).click();
  // There is one API user, so there is nothing to choose.
  await page.getByRole('heading', { name: 'Reset credentials' }).waitFor();
  await page.getByLabel('Name of the new secret').fill('production');
  await check(page, 'the reset');
  await page.getByRole('button', { name: 'Create the secret' }).click();
  const next = await shownCredentials(page, server);
  await page.getByLabel('I have stored the secret').check();
  await page.getByRole('button', { name: 'Next: the old secret' }).click();
  const old = page.getByRole('listitem').filter({ hasText: 'first secret' }).last();
  await old.getByText('in use').waitFor();
  job.secret = next.secret;
  await page
    .getByText(/Last used (just now|\d+ s ago)/)
    .first()
    .waitFor();
  const before = job.tokens;
  await eventually(() => job.tokens > before + 5, 15_000, 'the job goes on');
  assert.deepEqual(job.refused, []);
}

async function findRefused({ page, server }: Desk, clientId: string, secret: string): Promise<void> {
  const form = { client_id: clientId, client_secret: secret, scope: 'campaigns:delete' };
  const refused = await server.post(form);
  assert.equal(refused.status, 400, refused.text);
  const traceId = refused.headers.get('x-request-id') ?? '';
  await page.getByRole('link', { name: 'API users' }).click();
  await page.getByRole('link', { name: 'Why was my call refused?' }).click();
  await page.getByRole('searchbox', { name: 'Trace id' }).fill(traceId);
  await page.getByText('Scope it does not have').waitFor();
  await check(page, 'the refused calls');
}

async function partOfAudit({ page }: Desk): Promise<void> {
  await page.getByRole('link', { name: 'Audit' }).click();
  const entries = page.getByRole('region', { name: 'Entries' });
  for (const what of ['Credentials reset', 'API user created', 'Member joined', 'Member invited']) {
    await entries.getByText(what).first().waitFor();
  }
  await check(page, 'the audit log of the agency');
  const text = await entries.innerText();
  assert.ok(text.includes(CARL));
  assert.ok(!text.includes('ada@example.com'), 'operators are named “the platform”');
  assert.ok(!text.includes('Signing key'));
}

async function viewAs({ page }: Desk): Promise<void> {
  await page.getByRole('link', { name: 'View as a member' }).click();
  await page.getByText(`You see ${AGENCY} as its members do`).waitFor();
  await page.getByRole('link', { name: 'Nightly report' }).waitFor();
  assert.equal(await page.getByRole('link', { name: 'Create API user' }).count(), 0);
  await check(page, 'the view as a member');
  await page.getByRole('link', { name: 'Back to the console' }).click();
  await page.getByRole('heading', { name: AGENCY, level: 1 }).waitFor();
}

async function tighten({ page }: Desk, clientId: string): Promise<void> {
  await page.getByRole('link', { name: 'Edit the policy' }).click();
  await page.getByRole('button', { name: 'Remove scope campaigns:read' }).click();
  await page.getByText('This policy forbids what there is now').waitFor();
  await page.getByRole('link', { name: 'Nightly report' }).waitFor();
  await check(page, 'the policy');
  await page.getByRole('button', { name: 'Save the policy' }).click();
  await page.getByText('In violation of the policy').waitFor();
  const link = page.getByRole('link', { name: 'Nightly report' }).first();
  assert.ok((await link.getAttribute('href'))?.endsWith(clientId));
  await check(page, 'the page of the agency');
}

async function disable(operator: Desk, admin: Desk, job: Caller): Promise<void> {
  const { page } = operator;
  assert.deepEqual(job.refused, [], 'the job goes on under the stricter policy');
  await page.getByRole('button', { name: 'Disable' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Disable' }).click();
  await page.getByText('It is disabled').waitFor();
  await eventually(() => job.refused.length > 0, 5000, 'the job gets no more tokens');
  await job.stop();
  await admin.page.reload();
  await admin.page.getByRole('heading', { name: 'There is no such organisation' }).waitFor();
}

async function wholeAudit({ page }: Desk): Promise<void> {
  await page.getByRole('link', { name: 'Audit' }).click();
  await page.getByText(/The chain of \d+ entries is whole/).waitFor();
  const entries = page.getByRole('region', { name: 'Entries' });
  for (const what of [
    'Organisation disabled',
    'Organisation changed',
    'Organisation viewed as a member',
    'Credentials reset',
    'API user created',
    'Member joined',
    'Member invited',
    'Organisation created',
  ]) {
    await entries.getByText(what).first().waitFor();
  }
}
