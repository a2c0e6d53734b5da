// Leaving a page of the console that holds something which would be lost: a secret shown once, a form that was edited.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Dialog, Page } from 'playwright-core';
import { openBrowser, watchedPage, type WatchedPage } from '@mintmark/test-support/browser';
import {
  becomeFirstAdmin,
  PASSWORD,
  shownCredentials,
  turnOnSecondFactor,
} from '@mintmark/test-support/console-journey';
import { startServer, type TestServer } from '@mintmark/test-support/server';

export async function leaving(t: TestContext, { guarded, rest }: Guarded): Promise<void> {
  const browser = await openBrowser(t);
  if (browser === null) return;
  await using server = await startServer();
  try {
    await using admin = await watchedPage(browser, `http://localhost:${server.port}`);
    await becomeFirstAdmin(admin.page, server);
    for (const { name, show, question } of guarded.filter((each) => 'show' in each)) {
      await t.test(`leaving ${name} asks first`, async () => {
        await admin.go('/');
        await admin.follow('/audit');
        await show(admin, server);
        await assertGuarded(admin.page, question);
      });
    }
    for (const { name, path, edit } of guarded.filter((each) => 'edit' in each)) {
      await t.test(`leaving ${name} asks only after an edit`, async () => {
        await admin.go('/');
        await admin.follow('/audit');
        await admin.follow(path(server));
        await admin.page.goBack();
        await admin.page.getByRole('heading', { name: 'Audit', level: 1 }).waitFor();
        await admin.follow(path(server));
        await edit(admin.page, server);
        await assertGuarded(admin.page, 'Leave without saving?');
      });
    }
    await rest?.(t, admin, server);
    admin.assertClean();
  } finally {
    await browser.close();
  }
}

interface Guarded {
  guarded: readonly (Once | Form)[];
  /** What else is tried with the same browser. */
  rest?: (t: TestContext, admin: WatchedPage, server: TestServer) => Promise<void>;
}

interface Once {
  name: string;
  /** Ends on a page that shows something once; Audit is the page before it. */
  show: (admin: WatchedPage, server: TestServer) => Promise<void>;
  question: string;
  /** Tried by `npm test`. */
  isTypical?: true;
}

const SECRET = 'Leave without the secret?';

export const ONCE: readonly Once[] = [
  { name: 'the first secret of a new API user', show: createApiUser, question: SECRET, isTypical: true },
  { name: 'a new secret', show: makeSecret, question: SECRET },
  { name: 'the secret after a cut-off', show: cutOff, question: SECRET },
  { name: 'the link of an invitation', show: invite, question: 'Leave without the link?' },
  {
    name: 'recovery codes',
    show: recoveryCodes,
    question: 'Leave without the recovery codes?',
    isTypical: true,
  },
];

async function createApiUser({ page, follow }: WatchedPage, server: TestServer): Promise<void> {
  await follow('/api-users/new');
  await page.getByLabel('Name', { exact: true }).fill('Importer');
  await page.getByRole('button', { name: 'Create' }).click();
  await page.getByRole('heading', { name: 'Importer is ready' }).waitFor();
  await shownCredentials(page, server);
}

async function makeSecret({ page, follow }: WatchedPage, server: TestServer): Promise<void> {
  await follow(`/api-users/${server.clientId}/rotate`);
  await page.getByLabel('Name of the new secret').fill('second');
  await page.getByRole('button', { name: 'Create the secret' }).click();
  await shownCredentials(page, server);
}

async function cutOff({ page, follow }: WatchedPage, server: TestServer): Promise<void> {
  await follow(`/api-users/${server.clientId}`);
  await page.getByRole('button', { name: 'Leaked: cut it off now' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Cut it off' }).click();
  await shownCredentials(page, server);
}

async function invite({ page, follow }: WatchedPage, server: TestServer): Promise<void> {
  await follow('/operators');
  await page.getByRole('button', { name: 'Invite' }).click();
  await page.getByLabel('E-mail address').fill('new@example.com');
  await page.getByRole('button', { name: 'Create the link' }).click();
  const link = await page.getByRole('dialog').locator('pre').innerText();
  server.noteSecret(link.split('#')[1] ?? link);
}

async function recoveryCodes({ page, follow }: WatchedPage, server: TestServer): Promise<void> {
  await follow('/profile');
  await turnOnSecondFactor(page, server, { stopAtCodes: true });
}

interface Form {
  name: string;
  path: (server: TestServer) => string;
  edit: (page: Page, server: TestServer) => Promise<void>;
  isTypical?: true;
}

export const FORMS: readonly Form[] = [
  {
    name: 'the form of a new API user',
    path: () => '/api-users/new',
    edit: (page) => page.getByLabel('Scopes').fill('campaigns:read'),
    isTypical: true,
  },
  {
    name: 'the settings of an API user',
    path: ({ clientId }) => `/api-users/${clientId}/edit`,
    edit: (page) => page.getByLabel('Contact').fill('somebody@example.com'),
  },
  {
    name: 'the form of a new secret',
    path: ({ clientId }) => `/api-users/${clientId}/rotate`,
    edit: async (page) => void (await page.getByLabel('It expires').selectOption({ label: 'In 30 days' })),
  },
  {
    name: 'the change of a password',
    path: () => '/profile',
    edit: (page) => page.getByLabel('New password').fill(PASSWORD),
  },
  {
    name: 'an edited dialog of a credential',
    path: ({ clientId }) => `/api-users/${clientId}`,
    async edit(page) {
      await page.getByRole('button', { name: /^Edit/ }).first().click();
      await page.getByRole('dialog').getByLabel('Name').fill('another name');
    },
    isTypical: true,
  },
  {
    name: 'an edited invitation',
    path: () => '/operators',
    async edit(page) {
      await page.getByRole('button', { name: 'Invite' }).click();
      await page.getByRole('radio', { name: /^Admin/ }).check();
    },
  },
];

/** Every way to leave asks `question`; the page and its address stay, and an answer of "Leave" goes to the page before. */
async function assertGuarded(page: Page, question: string): Promise<void> {
  const here = page.url();
  await page.evaluate("document.querySelector('.page').id = 'guarded'");
  const asked = page.getByRole('dialog', { name: question });
  const stay = async () => {
    await asked.waitFor();
    assert.equal(page.url(), here, 'the address names the page shown');
    await asked.getByRole('button', { name: 'Stay here' }).click();
    await asked.waitFor({ state: 'detached' });
    assert.equal(await page.locator('#guarded').count(), 1, 'the page stays');
  };
  await page.goBack();
  await stay();
  await page.goBack();
  await stay();
  await page.evaluate('history.go(-2)');
  await stay();
  if ((await page.locator('dialog').count()) === 0) {
    await page.getByRole('link', { name: 'Signing keys' }).click();
    await stay();
    await page.locator('.sidebar').getByRole('button', { name: 'Sign out' }).click();
    await stay();
  }
  await assertReloadAsks(page);
  assert.equal(page.url(), here);

  await page.goBack();
  await asked.getByRole('button', { name: 'Leave' }).click();
  await page.waitForURL((url) => url.href !== here);
  assert.match(page.url(), /\/console\/(audit)?$/);
  const heading = page.url().endsWith('/audit') ? 'Audit' : 'Overview';
  await page.getByRole('heading', { name: heading, level: 1 }).waitFor();
}

/** The browser itself asks; the answer is to stay. */
async function assertReloadAsks(page: Page): Promise<void> {
  const asked = new Promise<string>((resolve) => {
    page.once('dialog', (dialog: Dialog) => {
      resolve(dialog.type());
      void dialog.dismiss();
    });
  });
  await page.evaluate('setTimeout(() => location.reload())');
  assert.equal(await asked, 'beforeunload');
}

export async function dialogs({ page, follow }: WatchedPage, server: TestServer): Promise<void> {
  await follow(`/api-users/${server.clientId}`);
  await page.getByRole('button', { name: /^Edit/ }).first().click();
  const dialog = page.getByRole('dialog', { name: 'Edit the credential' });
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });

  await page.getByRole('button', { name: /^Edit/ }).first().click();
  await dialog.getByLabel('Name').fill('typed');
  const asked = page.getByRole('dialog', { name: 'Leave without saving?' });
  for (const close of [
    () => page.keyboard.press('Escape'),
    () => dialog.getByRole('button', { name: 'Close' }).click(),
    () => dialog.getByRole('button', { name: 'Cancel' }).click(),
  ]) {
    await close();
    await asked.getByRole('button', { name: 'Stay here' }).click();
    assert.equal(await dialog.getByLabel('Name').inputValue(), 'typed');
  }
  await page.keyboard.press('Escape');
  await asked.getByRole('button', { name: 'Leave' }).click();
  await dialog.waitFor({ state: 'detached' });
  // A dialog that only confirms has nothing to lose.
  await page.getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('dialog').getByRole('textbox').fill('half a name');
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
}

export async function address({ page, go, follow }: WatchedPage, server: TestServer): Promise<void> {
  await go('/api-users');
  await createApiUser({ page, go, follow } as WatchedPage, server);
  const secretPage = page.url();
  assert.match(secretPage, /\/api-users\/api_[0-9A-Za-z]{20}\//, 'it names the API user');
  page.once('dialog', (dialog: Dialog) => void dialog.accept());
  await page.reload();
  await page.getByText('shown once').first().waitFor();
  assert.equal(page.url(), secretPage);
  assert.doesNotMatch(await page.getByRole('main').innerText(), /mms_/, 'a reload does not show it again');
  await page.getByRole('link', { name: 'Reset credentials' }).waitFor();
}
