// `npm run screenshots`: takes the documents' screenshots of the console, on a new store. Needs Debian's
// Chromium, as the tests do. `npm run screenshots -- --without-secret`: only those of keys and trust rules.
// `--organisations`: only those of organisations and the portal.
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { PHONE } from '@mintmark/test-support/browser';
import { assertionForm, newSigner, workloadClaims, type Signer } from '@mintmark/test-support/assertions';
import { sqlOn } from '@mintmark/test-support/command-line';
import {
  becomeFirstAdmin,
  firstAdminLink,
  importLines,
  PASSWORD,
  shownCredentials,
  signIn,
  startCaller,
  type Caller,
} from '@mintmark/test-support/console-journey';
import { startServer, type TestServer } from '@mintmark/test-support/server';
import { organisationPictures } from './organisation-pictures.ts';

const FOLDER: string = new URL('../docs/console/', import.meta.url).pathname;
const BYTES_MAX = 120_000;
const WIDTH = 1060;
const HEIGHT = 670;
/** For pages whose subject is further down. */
const TALL = 900;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const GITHUB = 'https://token.actions.githubusercontent.com';
/** Time of traffic before the pictures, so that the live charts have data. */
const TRAFFIC_MS = 75_000;

const NAMES = [
  'Importer of shop 14',
  'Nightly report, Hansen & Sons',
  'Bidding robot',
  'Data warehouse',
  'Product feed, northern shops',
  'Agency dashboard',
  'Creative uploader',
  'Audience sync',
  'Invoice export',
  'Store locator',
  'Loyalty programme',
  'Price watcher',
] as const;
const SCOPES = ['campaigns:read', 'campaigns:manage', 'audiences:manage', 'reports:read'] as const;

interface Made {
  client_id: string;
  client_secret: string;
}

const env = {
  MINTMARK_USAGE_FLUSH: '1000',
  MINTMARK_API_USER_LIMIT: '2000',
  MINTMARK_ADDRESS_LIMIT: '1000000',
};
mkdirSync(FOLDER, { recursive: true });
await using server = await startServer({ env });
const browser = await chromium.launch({
  executablePath: process.env['MINTMARK_TEST_CHROMIUM'] ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars'],
});
try {
  await take(server, browser);
} finally {
  await browser.close();
}
for (const file of readdirSync(FOLDER)) {
  const { size } = statSync(join(FOLDER, file));
  if (size > BYTES_MAX) throw new Error(`${file} has ${size} bytes, more than ${BYTES_MAX}.`);
}

async function take(on: TestServer, opened: Browser): Promise<void> {
  const origin = `http://localhost:${on.port}`;
  const viewport = { width: WIDTH, height: HEIGHT };
  const first = await opened.newPage({ viewport, colorScheme: 'light' });
  if (process.argv.includes('--without-secret')) {
    await becomeFirstAdmin(first, on);
    return await withoutSecret(on, opened, first);
  }
  if (process.argv.includes('--organisations')) {
    await becomeFirstAdmin(first, on);
    return await organisationPictures(on, opened, { desk: first, shoot });
  }
  await first.goto(`${origin}/console`);
  await first.getByLabel('E-mail address').waitFor();
  await shoot(first, 'sign-in');
  await first.goto(firstAdminLink(on));
  await first.getByLabel('New password').waitFor();
  await shoot(first, 'welcome');
  await becomeFirstAdmin(first, on);
  await inviteOthers(first, origin);

  const made = await seed(on);
  const [importer, report, robot] = made as [Made, Made, Made];
  const callers = [
    startCaller(on, importer.client_id, importer.client_secret, 60),
    startCaller(on, report.client_id, report.client_secret, 150),
    startCaller(on, robot.client_id, robot.client_secret, 90),
    // Programs that request scopes they do not have.
    startCaller(on, robot.client_id, robot.client_secret, 900, { scope: 'campaigns:delete' }),
    startCaller(on, importer.client_id, importer.client_secret, 2300, {
      resource: 'https://elsewhere.example.com',
    }),
  ];
  try {
    const phone = await opened.newPage({ ...PHONE, colorScheme: 'dark' });
    await phone.goto(`${origin}/console`);
    await signIn(phone, 'ada@example.com', PASSWORD);
    await first.goto(`${origin}/console`);
    await first.waitForTimeout(TRAFFIC_MS);
    await pictures(on, origin, first, phone, importer, callers[0] as Caller);
    await withoutSecret(on, opened, first);
    await organisationPictures(on, opened, { desk: first, shoot });
  } finally {
    await Promise.all(callers.map((caller) => caller.stop()));
  }
}

async function pictures(
  on: TestServer,
  origin: string,
  desk: Page,
  phone: Page,
  { client_id: clientId }: Made,
  caller: Caller,
): Promise<void> {
  const go = async (page: Page, path: string) => {
    await page.goto(`${origin}/console${path}`);
    await page.locator('.skeleton').first().waitFor({ state: 'detached' });
    await page.waitForTimeout(1500);
  };
  await shoot(desk, 'overview', TALL);
  await shoot(phone, 'overview-phone');
  await go(desk, '/api-users');
  await shoot(desk, 'api-users');
  await importing(desk);
  await go(desk, '/api-users/new');
  await desk.getByLabel('Name', { exact: true }).fill('Importer of shop 15');
  await shoot(desk, 'new-api-user', TALL);
  await go(desk, `/api-users/${clientId}/edit`);
  await shoot(desk, 'edit-api-user', TALL);
  await go(desk, `/api-users/${clientId}`);
  await desk.waitForTimeout(20_000);
  await shoot(desk, 'api-user', TALL - 120);
  await go(phone, `/api-users/${clientId}`);
  await phone.getByRole('button', { name: 'Leaked: cut it off now' }).click();
  await phone.waitForTimeout(600);
  await shoot(phone, 'cut-off-phone');

  await go(desk, `/api-users/${clientId}/reset`);
  await shoot(desk, 'reset', TALL);
  await go(desk, `/api-users/${clientId}/reset?old=keep`);
  await desk.getByLabel('Name of the new secret').fill('production, cluster 3');
  await desk.getByRole('button', { name: 'Create the secret' }).click();
  const { secret } = await shownCredentials(desk, on);
  await desk.evaluate('scrollTo(0, 250)');
  await shoot(desk, 'secret');
  await desk.getByLabel('I have stored the secret').check();
  await desk.getByRole('button', { name: 'Next: the old secret' }).click();
  const old = caller.secret;
  caller.secret = secret;
  await desk.waitForTimeout(14_000);
  await shoot(desk, 'rotation');
  await desk.getByRole('button', { name: 'Retire' }).click();
  await desk.getByRole('dialog').waitFor();
  await shoot(desk, 'retire');
  caller.secret = old;
  await stopping(on, desk, origin, clientId);

  await go(desk, '/signing-keys');
  await desk.getByRole('button', { name: 'Rotate' }).click();
  await desk.getByRole('dialog').getByRole('button', { name: 'Rotate' }).click();
  await desk.getByRole('button', { name: 'Dismiss' }).click();
  await desk.waitForTimeout(1500);
  await shoot(desk, 'signing-keys');
  await go(desk, '/operators');
  await shoot(desk, 'operators');
  await desk.emulateMedia({ colorScheme: 'dark' });
  await go(desk, '/audit');
  await desk.locator('.audit-entry summary').nth(3).click();
  await desk.evaluate('scrollTo(0, 0)');
  await shoot(desk, 'audit');
  await desk.emulateMedia({ colorScheme: 'light' });
  await go(desk, '/profile');
  await shoot(desk, 'profile', TALL);
  await desk.getByRole('button', { name: 'Turn on' }).click();
  await desk.getByRole('dialog').getByLabel('Your password').fill(PASSWORD);
  await desk.getByRole('dialog').getByRole('button', { name: 'Next' }).click();
  await desk.getByRole('img', { name: 'QR code' }).waitFor();
  await shoot(desk, 'second-factor', TALL - 100);
}

/** Shows a refused disable of an API user in use, and a cut-off of another one. */
async function stopping(on: TestServer, page: Page, origin: string, clientId: string): Promise<void> {
  await page.goto(`${origin}/console/api-users/${clientId}`);
  await page.getByRole('button', { name: 'Disable' }).click();
  await page.getByRole('dialog').waitFor();
  await shoot(page, 'disable');
  const leaky = await on.json<Made>(
    'api-user',
    'create',
    '--name',
    'Old importer',
    '--contact',
    'feeds@example.com',
  );
  await page.goto(`${origin}/console/api-users/${leaky.client_id}`);
  await page.getByRole('button', { name: 'Leaked: cut it off now' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Cut it off' }).click();
  await shownCredentials(page, on);
  await page.getByRole('button', { name: 'Dismiss' }).click();
  await shoot(page, 'cut-off-done', TALL);
  await page.getByLabel('I have stored the secret').check();
}

/** The keys and trust rules of an API user. The rule holds its key, because no picture asks GitHub. */
async function withoutSecret(on: TestServer, opened: Browser, desk: Page): Promise<void> {
  const user = await on.json<Made>('api-user', 'create', '--name', 'Catalogue upload');
  const origin = `http://localhost:${on.port}`;
  const path = `${origin}/console/api-users/${user.client_id}`;
  await desk.goto(`${path}/trust`);
  await desk.getByLabel('Repository id').fill('1296269');
  await desk.getByLabel('Branch').fill('main');
  await desk.getByLabel('Environment').fill('production');
  await desk.getByLabel('Name of the rule').fill('shop, production');
  await desk.getByRole('heading', { level: 1 }).click();
  await desk.setViewportSize({ width: WIDTH, height: TALL - 10 });
  await desk.evaluate('scrollTo(0, 130)');
  await shoot(desk, 'trust');
  await desk.setViewportSize({ width: WIDTH, height: HEIGHT });
  const signer = await newSigner();
  await desk.goto(`${path}/trust`);
  await writeRule(desk, signer);
  const token = async (changes: Record<string, string>) => {
    const claims = { iss: GITHUB, sub: 'repo:acme/shop:environment:production', aud: on.url, ...changes };
    return await signer.sign(workloadClaims({ repository_id: '1296269', ref: 'refs/heads/main', ...claims }));
  };
  for (const ref of ['refs/heads/main', 'refs/heads/feature-7'])
    await on.post(assertionForm(await token({ ref }), { client_id: user.client_id }));
  await desk.getByText('repo:acme/shop:environment:production').waitFor();
  await desk.getByText(/^Last refusal .*:/).waitFor();
  await desk.getByRole('button', { name: 'Dismiss' }).click();
  await shoot(desk, 'trust-rule', TALL - 80);
  const phone = await opened.newPage({ ...PHONE, colorScheme: 'dark' });
  await phone.goto(path);
  await signIn(phone, 'ada@example.com', PASSWORD);
  await phone.getByRole('button', { name: 'Check a token' }).click();
  await phone.getByLabel('Token of the workload').fill(await token({ ref: 'refs/heads/feature-7' }));
  await phone.getByRole('button', { name: 'Check the token' }).click();
  await phone.getByText('The token has').waitFor();
  await shoot(phone, 'trust-check-phone');
  await phone.close();
  await desk.goto(`${path}/add-key`);
  await desk.getByLabel('Public key', { exact: true }).fill(JSON.stringify(signer.jwk, null, 2));
  await desk.getByLabel('Name of the key').fill('cluster 2');
  await shoot(desk, 'add-key', TALL - 40);
}

async function writeRule(page: Page, signer: Signer): Promise<void> {
  await page.getByLabel('The workload runs in').selectOption({ label: 'Another issuer: write the rule' });
  await page.getByLabel('Issuer').fill(GITHUB);
  await page.getByLabel('Subject').fill('repo:*');
  for (const [i, [name, value]] of [
    ['repository_id', '1296269'],
    ['ref', 'refs/heads/main'],
  ].entries()) {
    await page.getByRole('button', { name: 'Add a claim' }).click();
    await page.getByLabel(`Claim ${i + 1}`, { exact: true }).fill(name ?? '');
    await page.getByLabel(`Value of claim ${i + 1}`).fill(value ?? '');
  }
  await page.getByText('More: audience, life').click();
  await page.getByLabel('Its public keys come').selectOption('inline');
  await page.getByLabel('Key set').fill(JSON.stringify({ keys: [signer.jwk] }));
  await page.getByLabel('Name of the rule').fill('shop, production');
  await page.getByRole('button', { name: 'Create the rule' }).click();
  await page.getByRole('heading', { name: 'shop, production', level: 1 }).waitFor();
}

async function importing(page: Page): Promise<void> {
  const lines = ['{"name": "Newsletter, southern shops", "scopes": ["campaigns:read"]}', '{"name": ""}'];
  const dialog = await importLines(page, lines);
  await dialog.getByText('Line 2').waitFor();
  await shoot(page, 'import');
}

async function shoot(page: Page, name: string, height?: number): Promise<void> {
  if (height !== undefined) await page.setViewportSize({ width: WIDTH, height });
  await page.waitForTimeout(300);
  await page.screenshot({ path: join(FOLDER, `${name}.png`), animations: 'disabled' });
  if (height !== undefined) await page.setViewportSize({ width: WIDTH, height: HEIGHT });
  console.log(`docs/console/${name}.png`);
}

async function inviteOthers(page: Page, origin: string): Promise<void> {
  for (const [email, role] of [
    ['grace@example.com', 'Operator'],
    ['linus@example.com', 'Viewer'],
  ] as const) {
    await page.goto(`${origin}/console/operators`);
    await page.getByRole('button', { name: 'Invite' }).click();
    await page.getByLabel('E-mail address').fill(email);
    await page.getByRole('radio', { name: new RegExp(`^${role}`) }).check();
    await page.getByRole('button', { name: 'Create the link' }).click();
    await page.getByRole('button', { name: 'I have passed it on' }).click();
  }
}

/** Creates API users with usage of the last hours and days. */
async function seed(on: TestServer): Promise<Made[]> {
  const made: Made[] = [];
  for (const [i, name] of NAMES.entries()) {
    const options = [
      '--name',
      name,
      '--contact',
      `team-${i + 1}@example.com`,
      '--scope',
      SCOPES[i % 4] ?? '',
    ];
    if (i % 3 === 0) options.push('--limit', String(1200 + 150 * i));
    const user = await on.json<Made>('api-user', 'create', ...options);
    made.push(user);
    seedUsage(join(on.dataDir, 'mintmark.db'), user.client_id, i);
  }
  await on.cli(
    'credential',
    'create',
    made[1]?.client_id ?? '',
    '--name',
    'cluster 2',
    '--expires-in',
    '12d',
  );
  await on.cli('credential', 'create', made[4]?.client_id ?? '', '--name', 'staging', '--expires-in', '25d');
  await on.cli('api-user', 'update', made[0]?.client_id ?? '', '--scope', 'campaigns:read reports:read');
  await on.cli('api-user', 'disable', made[8]?.client_id ?? '', '--force');
  return made;
}

function seedUsage(database: string, clientId: string, i: number): void {
  if (i === 9) return; // one that was never used
  const hour = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
  const day = Math.floor(Date.now() / DAY_MS) * DAY_MS;
  const usedAt = Date.now() - (i + 1) * (i + 2) * 61_000;
  sqlOn(database, 'update api_users set last_used_at = ? where client_id = ?', usedAt, clientId);
  const [credential] = sqlOn(database, 'select id from credentials where client_id = ?', clientId);
  insert(database, 'credential_usage', [
    String(credential?.['id']),
    usedAt,
    '203.0.113.14',
    400 * (i + 1),
    null,
  ]);
  for (let ago = 1; ago < 48; ago++) {
    const at = hour - ago * HOUR_MS;
    const wave = 1 + Math.sin(((new Date(at).getUTCHours() + 2 * i) / 24) * 2 * Math.PI);
    insert(database, 'usage_hours', [at, clientId, Math.round((20 + 90 * i) * wave)]);
  }
  for (let ago = 1; ago < 30; ago++) {
    insert(database, 'usage_days', [
      day - ago * DAY_MS,
      clientId,
      Math.round((900 + 2000 * i) * (1 + (ago % 7) / 9)),
    ]);
  }
}

function insert(database: string, table: string, values: readonly (string | number | null)[]): void {
  const marks = values.map(() => '?').join(', ');
  sqlOn(database, `insert into ${table} values (${marks})`, ...values);
}
