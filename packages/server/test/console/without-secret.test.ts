// Test setup: first.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { JWTPayload } from 'jose';
import type { Page } from 'playwright-core';
import { assertionForm, newSigner, workloadClaims, type Signer } from '@mintmark/test-support/assertions';
import {
  assertAccessible,
  assertFits,
  openBrowser,
  PHONE,
  watchedPage,
  type WatchedPage,
} from '@mintmark/test-support/browser';
import { becomeFirstAdmin, PASSWORD, runCurl, signIn } from '@mintmark/test-support/console-journey';
import { startServer, type TestServer } from '@mintmark/test-support/server';
import { certificate, startIssuer, type Issuer } from '../runtime/issuer.ts';

// Keys and trust rules of an API user: a real issuer, whose tokens the server checks.

/** Of the issuer's key. */
const KID = 'actions-1';

interface Setup {
  server: TestServer;
  issuer: Issuer;
  signer: Signer;
  clientId: string;
}

void test('API users without a secret in the console', { timeout: 240_000 }, async (t) => {
  const browser = await openBrowser(t);
  if (browser === null) return;
  const tls = certificate('localhost');
  await using issuer = await startIssuer(tls);
  const signer = await newSigner();
  issuer.keys = [{ ...signer.jwk, kid: KID }];
  await using server = await startServer({
    env: { MINTMARK_USAGE_FLUSH: '500', MINTMARK_PRIVATE_KEY_HOSTS: `localhost=${tls.caFile}` },
  });
  try {
    const origin = `http://localhost:${server.port}`;
    await using admin = await watchedPage(browser, origin);
    await becomeFirstAdmin(admin.page, server);
    await using phone = await watchedPage(browser, origin, PHONE);
    await phone.go('/');
    await signIn(phone.page, 'ada@example.com', PASSWORD);
    const { client_id: clientId } = await server.json<{ client_id: string }>(
      'api-user',
      'create',
      '--name',
      'Nightly import',
    );
    const setup = { server, issuer, signer, clientId };
    await t.test('a preset explains what its rule lets in', () => createRule(admin, setup));
    await t.test('a pasted token shows the claim that fails', () => failingClaim(admin, phone, setup));
    await t.test('a corrected copy of the rule accepts the token', () => correctedRule(admin, setup));
    await t.test('the page shows the last subject and the last refusal', () => lastUses(admin, setup));
    await t.test('a rule that is too wide is forced, its curl lines work', () => tooWide(admin, setup));
    await t.test('a private key is refused, its public key is added', () => keys(admin, setup));
    await t.test('an issuer that is away shows on the page of its rule', () => away(admin, setup));
    await t.test('axe finds nothing on these pages, at both widths', async () => {
      for (const watched of [admin, phone]) await everyPage(watched, setup);
    });
    admin.assertClean();
    phone.assertClean();
  } finally {
    await browser.close();
  }
});

/** A token that GitHub would give to a workflow of this repository. */
async function githubToken(
  { server, issuer, signer }: Setup,
  changes: JWTPayload = {},
  kid = KID,
): Promise<string> {
  const claims = {
    iss: issuer.url,
    sub: 'repo:acme/shop:environment:production',
    aud: server.url,
    repository_id: '1296269',
    ref: 'refs/heads/main',
    event_name: 'push',
    ...changes,
  };
  const token = await signer.sign(workloadClaims(claims), { kid });
  server.noteSecret(token);
  return token;
}

async function createRule({ page, go }: WatchedPage, { issuer, clientId }: Setup): Promise<void> {
  await go(`/api-users/${clientId}`);
  await page.getByRole('link', { name: 'Trust a workload' }).click();
  await page.getByText('Any workflow of repository 123456 on branch main').waitFor();
  await page.getByLabel('Name of the rule').fill('shop, main');
  await page.getByLabel('Repository id').fill('shop');
  await page.getByRole('button', { name: 'Create the rule' }).click();
  await page.getByText('Give at least one of branch, tag, environment.').waitFor();
  await page.getByText('"shop" is not of the form of 123456').waitFor();
  await page.getByLabel('Repository id').fill('1296270');
  await page.getByLabel('Branch').fill('main');
  await page.getByText('More: events, issuer, audience').click();
  await page.getByLabel('Issuer').fill(issuer.url);
  await page.getByText(`In full: tokens of ${issuer.url}`).waitFor();
  await page.getByRole('button', { name: 'Create the rule' }).click();
  await page.getByRole('heading', { name: 'shop, main', level: 1 }).waitFor();
  const snippet = await page.getByRole('region', { name: 'Set it up' }).locator('pre').innerText();
  assert.ok(snippet.includes(`-d client_id=${clientId}`), snippet);
  await page.getByText(`1 key of ${issuer.url}, fetched`).waitFor();
}

async function check(page: Page, token: string): Promise<void> {
  await page.getByLabel('Token of the workload').fill(token);
  await page.getByRole('button', { name: 'Check the token' }).click();
}

async function failingClaim({ page }: WatchedPage, phone: WatchedPage, setup: Setup): Promise<void> {
  await check(page, await githubToken(setup));
  await page.getByText('It would be refused').waitFor();
  await page.getByText('the claim repository_id').waitFor();
  const status = await page.getByRole('status').filter({ hasText: 'It would be refused' }).innerText();
  assert.match(status, /The rule expects\s+"1296270"\s+The token has\s+"1296269"/);
  assert.equal(await page.getByLabel('Token of the workload').inputValue(), '', 'the token leaves the page');
  await assertAccessible(page, 'a check that fails');

  await phone.go(`/api-users/${setup.clientId}`);
  await phone.page.getByRole('button', { name: 'Check a token' }).click();
  await check(phone.page, 'mms_this_is_a_secret');
  await phone.page.getByText('It is no token that a rule can check').waitFor();
  await check(phone.page, await githubToken(setup));
  await phone.page.getByText('the claim repository_id').waitFor();
  await assertAccessible(phone.page, 'the dialog of the check, on a phone');
  await assertFits(phone.page, 'the dialog of the check');
  await phone.page.keyboard.press('Escape');
}

async function correctedRule({ page }: WatchedPage, setup: Setup): Promise<void> {
  await page.getByRole('link', { name: 'Correct it in a new rule' }).click();
  await page.getByRole('heading', { name: 'Trust a workload' }).waitFor();
  await page.getByLabel('Value of claim 1').fill('1296269');
  await page.getByLabel('Name of the rule').fill('shop, corrected');
  await page.getByRole('button', { name: 'Create the rule' }).click();
  await page.getByRole('heading', { name: 'shop, corrected', level: 1 }).waitFor();
  await check(page, await githubToken(setup));
  await page.getByText('It would pass').waitFor();
  const rules = page.getByRole('list', { name: 'Rules' });
  await rules
    .getByRole('listitem')
    .filter({ hasText: 'shop, corrected' })
    .getByText('passes', { exact: true })
    .waitFor();
  await rules
    .getByRole('listitem')
    .filter({ hasText: 'shop, main' })
    .getByText('fails', { exact: true })
    .waitFor();
}

async function lastUses({ page }: WatchedPage, setup: Setup): Promise<void> {
  const { server, clientId } = setup;
  const request = async (changes: JWTPayload) =>
    await server.post(assertionForm(await githubToken(setup, changes), { client_id: clientId }));
  assert.equal((await request({})).status, 200, 'the check did not use the rule up');
  const use = page.getByRole('region', { name: 'Use' });
  await use.getByText('repo:acme/shop:environment:production').waitFor();
  assert.equal((await request({ ref: 'refs/heads/other' })).status, 403);
  await use.getByText(/^Last refusal .*: claim against the rule$/).waitFor();
  await use.getByText('refs/heads/other').waitFor();
}

async function tooWide({ page, go }: WatchedPage, setup: Setup): Promise<void> {
  const { server, issuer, clientId } = setup;
  await go(`/api-users/${clientId}/trust`);
  await page.getByLabel('The workload runs in').selectOption({ label: 'Another issuer: write the rule' });
  await page.getByLabel('Issuer').fill(issuer.url);
  await page.getByLabel('Subject').fill('*');
  await page.getByRole('button', { name: 'Add a claim' }).click();
  await page.getByLabel('Claim 1', { exact: true }).fill('email_verified');
  await page.getByLabel('Test of claim 1').selectOption({ label: 'is the JSON value' });
  await page.getByLabel('Value of claim 1').fill('yes');
  await page.getByLabel('Name of the rule').fill('everybody');
  await page.getByRole('button', { name: 'Create the rule' }).click();
  await page.getByText('This is not JSON.').waitFor();
  await page.getByLabel('Value of claim 1').fill('true');
  await page.getByText('whose sub is anything and whose email_verified is true').waitFor();
  await page.getByRole('button', { name: 'Create the rule' }).click();
  await page.getByLabel('Create it although it lets in more than is safe').check();
  await page.getByRole('button', { name: 'Create the rule' }).click();
  await page.getByRole('heading', { name: 'everybody', level: 1 }).waitFor();
  const lines = await page.getByRole('region', { name: 'Set it up' }).locator('pre').innerText();
  const file = join(mkdtempSync(join(tmpdir(), 'mintmark-token-')), 'token');
  writeFileSync(file, await githubToken(setup, { email_verified: true }));
  const answer = await runCurl(lines.replace('cat token', `cat ${file}`), server);
  rmSync(dirname(file), { recursive: true });
  assert.equal(answer['token_type'], 'Bearer', JSON.stringify(answer));
  await page.getByRole('button', { name: 'Retire' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Retire' }).click();
  await page.getByText('retired', { exact: true }).waitFor();
}

const PRIVATE_KEY = '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n-----END PRIVATE KEY-----';

async function keys({ page, go }: WatchedPage, { clientId, signer, server }: Setup): Promise<void> {
  await go(`/api-users/${clientId}`);
  await page.getByRole('link', { name: 'Add a key' }).click();
  await page.getByLabel('Public key', { exact: true }).fill(PRIVATE_KEY);
  await page.getByLabel('Name of the key').fill('cluster 2');
  await page.getByRole('button', { name: 'Add the key' }).click();
  await page.getByText('This is a private key. Treat it as leaked').first().waitFor();
  await page.getByLabel('Public key', { exact: true }).fill(JSON.stringify(signer.jwk));
  await page.getByRole('button', { name: 'Add the key' }).click();
  await page.getByRole('heading', { name: 'cluster 2', level: 1 }).waitFor();
  await page.getByText(signer.thumbprint).waitFor();
  const history = await server.json<{ state: string }[]>('credential', 'list', clientId);
  assert.equal(history.filter(({ state }) => state === 'live').length, 4);
}

async function away({ page, go }: WatchedPage, setup: Setup): Promise<void> {
  const { issuer, clientId } = setup;
  await go(`/api-users/${clientId}`);
  await page.getByRole('link', { name: 'shop, main' }).click();
  await page.getByText(`1 key of ${issuer.url}, fetched`).waitFor();
  await issuer.stop();
  await check(page, await githubToken(setup, {}, 'rotated'));
  await page.getByText('It would be refused').waitFor();
  await page.getByText('The last fetch failed').waitFor();
  await page.getByText('ECONNREFUSED').waitFor();
  await assertAccessible(page, 'a rule whose issuer is away');
}

async function everyPage(watched: WatchedPage, { clientId }: Setup): Promise<void> {
  const { page } = watched;
  const user = `/api-users/${clientId}`;
  await watched.go(user);
  const rule = await page.getByRole('link', { name: 'shop, main' }).getAttribute('href');
  const key = await page.getByRole('link', { name: 'cluster 2' }).getAttribute('href');
  const [rulePath = '', keyPath = ''] = [rule, key].map((path) => path?.replace('/console', ''));
  for (const path of [
    user,
    rulePath,
    keyPath,
    `${user}/trust`,
    `${user}/trust?like=${rulePath.split('/').at(-1)}`,
    `${user}/add-key`,
    `${user}/credentials/0000000000`,
  ]) {
    await watched.follow(path);
    await page.locator('.skeleton').first().waitFor({ state: 'detached' });
    await assertAccessible(page, path);
    await assertFits(page, path);
  }
}
