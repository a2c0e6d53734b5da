// Test setup: jose, authlib, long.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { openBrowser, watchedPage } from '@mintmark/test-support/browser';
import { temporaryFolder } from '@mintmark/test-support/command-line';
import { becomeFirstAdmin } from '@mintmark/test-support/console-journey';
import { authlibMissing, authlibPython, programMissing } from '@mintmark/test-support/debian-programs';
import { GO_ENV, goMissing } from '@mintmark/test-support/go-program';
import { startServer } from '@mintmark/test-support/server';

interface Runtime {
  language: string;
  file: string;
  command: readonly string[];
  env?: Readonly<Record<string, string>>;
  missing: () => string | false;
}

const RUNTIMES: readonly Runtime[] = [
  {
    language: 'curl',
    file: 'quickstart.sh',
    command: ['sh'],
    missing: () => programMissing('curl', ['--version']),
  },
  { language: 'TypeScript', file: 'quickstart.ts', command: [process.execPath], missing: () => false },
  {
    language: 'Python',
    file: 'quickstart.py',
    command: [authlibPython() ?? 'python3'],
    missing: authlibMissing,
  },
  {
    language: 'Java',
    file: 'Quickstart.java',
    command: ['java'],
    missing: () => programMissing('java', ['--version'], 'default-jdk'),
  },
  {
    language: 'Go',
    file: 'quickstart.go',
    command: ['go', 'run'],
    env: GO_ENV,
    missing: goMissing,
  },
  {
    language: 'PHP',
    file: 'quickstart.php',
    command: ['php'],
    missing: () => programMissing('php', ['--version'], 'php-cli php-curl'),
  },
];

const RUN_MS = 60_000;

interface Created {
  client_id: string;
  client_secret: string;
}

void test('each program of the quickstart gets a token', { timeout: 400_000 }, async (t) => {
  const browser = await openBrowser(t);
  if (browser === null) return;
  await using server = await startServer({ env: { MINTMARK_USAGE_FLUSH: '500' } });
  const origin = `http://localhost:${server.port}`;
  try {
    await using ada = await watchedPage(browser, origin);
    const { page } = ada;
    await becomeFirstAdmin(page, server);
    const { id } = await server.json<{ id: string }>('organisation', 'create', '--name', 'Agency');
    const created = await server.json<Created>('api-user', 'create', '--name', 'Job', '--organisation', id);
    server.noteSecret(created.client_secret);
    const address = `${origin}/portal/organisations/${id}/api-users/${created.client_id}/quickstart`;
    for (const runtime of RUNTIMES) {
      await t.test(runtime.language, { skip: runtime.missing() }, async () => {
        await page.goto(address);
        await page.getByText('Start the program now').waitFor();
        const program = await shownProgram(page, runtime.language);
        assert.ok(program.includes(created.client_id) && !program.includes(created.client_secret));
        const good = run(runtime, program, created.client_secret);
        assert.equal(good.status, 0, good.printed);
        assert.match(good.printed, runtime.language === 'curl' ? /"access_token"/ : /It works: got a token/);
        await page.getByText(/A token was issued at/).waitFor();

        const wrong = run(runtime, program, `${created.client_secret.slice(0, -1)}_`);
        assert.notEqual(wrong.status, 0, 'a program that gets no token fails');
        assert.match(wrong.printed, /invalid_client/);
        assert.ok(!wrong.printed.includes(created.client_secret.slice(0, -1)), 'it prints no secret');
        if (runtime.language !== 'Go') assert.match(wrong.printed, /x-request-id/i);
        await page.getByText(/Refused at/).waitFor();
      });
    }
    ada.assertClean();
  } finally {
    await browser.close();
  }
});

async function shownProgram(page: Page, language: string): Promise<string> {
  await page.getByRole('radio', { name: language }).check({ force: true });
  return await page.locator('.code-block pre').first().innerText();
}

/** Runs the program with the secret in its environment, as the page says. */
function run(
  { file, command, env }: Runtime,
  text: string,
  secret: string,
): { status: number | null; printed: string } {
  const folder = temporaryFolder();
  const path = join(folder, file);
  writeFileSync(path, text);
  const [program = '', ...parameters] = command;
  const { status, stdout, stderr } = spawnSync(program, [...parameters, path], {
    encoding: 'utf8',
    timeout: RUN_MS,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: folder,
      ...env,
      MINTMARK_CLIENT_SECRET: secret,
    },
  });
  return { status, printed: stdout + stderr };
}
