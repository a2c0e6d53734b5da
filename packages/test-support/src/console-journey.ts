import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { URI, type TOTP } from 'otpauth';
import type { Locator, Page } from 'playwright-core';
import type { TestServer } from './server.ts';

// Steps of operators in the console, which find controls by the words on the page.

export const PASSWORD = 'sorrel lantern quarry 41';

/** The link for the first admin in the server's output. */
export function firstAdminLink(server: TestServer): string {
  const [link] = /http:\/\/\S+\/console\/welcome#\S+/.exec(server.output()) ?? [];
  assert.ok(link !== undefined, server.output());
  server.noteSecret(link.split('#')[1] ?? link);
  return link;
}

export async function becomeFirstAdmin(
  page: Page,
  server: TestServer,
  email = 'ada@example.com',
): Promise<void> {
  server.noteSecret(PASSWORD);
  await page.goto(firstAdminLink(server));
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('New password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Set the password and sign in' }).click();
  await page.getByRole('heading', { name: 'Profile' }).waitFor();
}

export interface Enrolled {
  totp: TOTP;
  recoveryCodes: string[];
}

/** Turns the second factor on with the QR code's content; `stopAtCodes` stops at the recovery codes. */
export async function turnOnSecondFactor(
  page: Page,
  server: TestServer,
  { stopAtCodes = false }: { stopAtCodes?: boolean } = {},
): Promise<Enrolled> {
  await page.getByRole('button', { name: 'Turn on' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Your password').fill(PASSWORD);
  await dialog.getByRole('button', { name: 'Next' }).click();
  await dialog.getByText('without a camera').click();
  const uri = await dialog.getByRole('link', { name: 'Open in an authenticator app' }).getAttribute('href');
  const totp = URI.parse(uri ?? '') as TOTP;
  server.noteSecret(totp.secret.base32);
  await dialog.getByRole('img', { name: 'QR code' }).waitFor();
  await dialog.getByLabel('The code that the app shows').fill(totp.generate());
  await dialog.getByRole('button', { name: 'Turn on' }).click();
  await dialog.getByText('Your recovery codes').waitFor();
  const codes = await dialog.locator('pre').innerText();
  const recoveryCodes = codes.trim().split('\n');
  for (const code of recoveryCodes) server.noteSecret(code);
  if (stopAtCodes) return { totp, recoveryCodes };
  await dialog.getByRole('button', { name: 'I have stored them' }).click();
  await dialog.waitFor({ state: 'detached' });
  return { totp, recoveryCodes };
}

export async function signIn(page: Page, email: string, password: string, code?: string): Promise<void> {
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  if (code !== undefined) {
    await page.getByLabel('Code').fill(code);
    await page.getByRole('button', { name: 'Confirm' }).click();
  }
  await page.getByRole('navigation', { name: 'Console' }).waitFor();
}

/** Checks lines of a file on the page of API users, then imports them; the dialog shows the results. */
export async function importLines(page: Page, lines: readonly string[]): Promise<Locator> {
  await page.getByRole('button', { name: 'Import' }).click();
  await page.getByLabel('File', { exact: true }).setInputFiles({
    name: 'api-users.ndjson',
    mimeType: 'application/x-ndjson',
    buffer: Buffer.from(lines.join('\n')),
  });
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Check the file' }).click();
  await dialog.getByText('Nothing is created yet.').waitFor();
  await dialog.getByRole('button', { name: /^Import / }).click();
  await dialog.getByText(/API users? created, /).waitFor();
  return dialog;
}

export async function signOut(page: Page): Promise<void> {
  await page.getByRole('link', { name: 'Profile' }).click();
  await page.getByRole('main').getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
}

/** The next code; codes are accepted once. */
export async function nextCode(totp: TOTP): Promise<string> {
  const before = totp.counter();
  // The next time step's code is accepted too.
  return totp.generate({ timestamp: (before + 1) * totp.period * 1000 });
}

export interface ShownCredentials {
  clientId: string;
  secret: string;
  curl: string;
}

/** Reads the client id and the secret, which the page shows once. */
export async function shownCredentials(page: Page, server: TestServer): Promise<ShownCredentials> {
  const blocks = page.locator('.code-block pre');
  await blocks.nth(2).waitFor();
  const [clientId = '', secret = '', curl = ''] = await blocks.allInnerTexts();
  assert.match(clientId, /^api_[0-9A-Za-z]{20}$/);
  assert.match(secret, /^mms_[0-9A-Za-z]{10}_[0-9A-Za-z]{49}$/);
  server.noteSecret(secret);
  return { clientId, secret, curl };
}

/** Runs the page's command line as an integrator would. */
export async function runCurl(curl: string, server: TestServer): Promise<Record<string, unknown>> {
  const { stdout } = await promisify(execFile)('sh', ['-c', `${curl} --silent`]);
  const answer = JSON.parse(stdout) as Record<string, unknown>;
  if (typeof answer['access_token'] === 'string') server.noteSecret(answer['access_token']);
  return answer;
}

export async function downloaded(page: Page, button: Locator): Promise<string> {
  const [download] = await Promise.all([page.waitForEvent('download'), button.click()]);
  return readFileSync(await download.path(), 'utf8');
}

/** A program that requests tokens at full speed until stopped, and counts refusals. */
export interface Caller {
  /** The secret from the next call on. */
  secret: string;
  tokens: number;
  refused: string[];
  stop(): Promise<void>;
}

export function startCaller(
  server: TestServer,
  clientId: string,
  secret: string,
  everyMs = 100,
  more: Record<string, string> = {},
): Caller {
  const caller: Caller = { secret, tokens: 0, refused: [], stop };
  const stopping = new AbortController();
  const ended = run();
  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const answer = await server.post({ client_id: clientId, client_secret: caller.secret, ...more });
      if (answer.status === 200) caller.tokens += 1;
      else caller.refused.push(answer.text);
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  }
  async function stop(): Promise<void> {
    stopping.abort();
    await ended;
  }
  return caller;
}
