import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { TestContext } from 'node:test';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';

/** Debian's `chromium`, or the Chromium named by this variable. */
const CHROMIUM = process.env['MINTMARK_TEST_CHROMIUM'] ?? '/usr/bin/chromium';
const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-background-networking',
  '--renderer-process-limit=1', // one origin needs one process; each more takes a second
];

export const DESKTOP: BrowserContextOptions = { viewport: { width: 1280, height: 800 } };
export const PHONE: BrowserContextOptions = {
  viewport: { width: 375, height: 812 },
  hasTouch: true,
  isMobile: true,
};

/** A browser; null skips the test if none is installed. In CI that is a failure. `what` is not tested then. */
export async function openBrowser(t: TestContext, what: string = 'THE CONSOLE'): Promise<Browser | null> {
  if (existsSync(CHROMIUM)) return await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });
  const problem = `there is no ${CHROMIUM}: install it (apt-get install chromium), or set MINTMARK_TEST_CHROMIUM to one.`;
  assert.ok(!process.env['CI'], `The tests need a browser, and ${problem}`);
  console.error(`NOT TESTED: ${what}: ${problem}`);
  t.skip(`NOT TESTED: ${what}: ${problem}`);
  return null;
}

export interface WatchedPage extends AsyncDisposable {
  page: Page;
  /** Loads a page of the console and waits for its heading. */
  go(path: string): Promise<void>;
  /** Opens a page of the console, or of the portal, without a reload, like a link. */
  follow(path: string): Promise<void>;
  /** Fails after requests to other servers, violations of the policy or errors. */
  assertClean(): void;
}

/**
 * A page with its own cookies, watched for faults that must never happen. Unless `options` say otherwise it moves nothing:
 * drawing each step of an animation takes a third of the time of a test.
 */
export async function watchedPage(
  browser: Browser,
  origin: string,
  options: BrowserContextOptions = DESKTOP,
): Promise<WatchedPage> {
  const context = await browser.newContext({ acceptDownloads: true, reducedMotion: 'reduce', ...options });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const wrong: string[] = [];
  context.on('request', (request) => {
    const url = new URL(request.url());
    const isOwn = url.origin === origin || ['data:', 'blob:'].includes(url.protocol);
    if (!isOwn) wrong.push(`asked of another server: ${request.url()}`);
  });
  context.on('console', (message) => {
    // Refused requests are not faults of the page.
    if (message.type() !== 'error' || message.text().startsWith('Failed to load resource')) return;
    wrong.push(`said on the console: ${message.text()}`);
  });
  page.on('pageerror', (error) => wrong.push(`thrown: ${error.stack ?? error.message}`));
  await context.exposeFunction('reportViolation', (text: string) =>
    wrong.push(`forbidden by the policy: ${text}`),
  );
  await context.addInitScript(`
    document.addEventListener('securitypolicyviolation', (event) =>
      reportViolation([event.violatedDirective, event.blockedURI, event.sample].join(' ')));
  `);
  const watched: WatchedPage = {
    page,
    async go(path) {
      await page.goto(`${origin}/console${path}`);
      await page.getByRole('heading', { level: 1 }).waitFor();
    },
    async follow(path) {
      await page.evaluate(followInPage(path.startsWith('/portal/') ? path : `/console${path}`));
      await page.getByRole('heading', { level: 1 }).waitFor();
    },
    assertClean: () => assert.deepEqual(wrong, []),
    async [Symbol.asyncDispose]() {
      await context.close();
    },
  };
  return watched;
}

/** Follows a link that no page shows; returns after the next frame. */
function followInPage(path: string): string {
  return `new Promise((followed) => {
    const link = Object.assign(document.createElement('a'), { href: ${JSON.stringify(path)} });
    document.body.append(link);
    link.click();
    link.remove();
    requestAnimationFrame(() => setTimeout(followed));
  })`;
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Fails if axe finds anything on the present page, in the light colour scheme or in both. They differ only in colours. */
export async function assertAccessible(
  page: Page,
  what: string,
  { inTheDark = true }: { inTheDark?: boolean } = {},
): Promise<void> {
  if (!(await page.evaluate<boolean>("'axe' in window"))) await page.evaluate(axe);
  if (inTheDark) {
    await page.emulateMedia({ colorScheme: 'dark' });
    assert.deepEqual(await violationsOf(page, "runOnly: ['color-contrast']"), [], `${what}, dark`);
    await page.emulateMedia({ colorScheme: 'light' });
  }
  assert.deepEqual(await violationsOf(page), [], `${what}, light`);
}

/** Filters inside the page: axe's full result takes longer to transfer than to compute. */
async function violationsOf(page: Page, options = ''): Promise<string[]> {
  return await page.evaluate<
    string[]
  >(`axe.run({ resultTypes: ['violations'], ${options} }).then(({ violations }) =>
    violations.map(({ id, help, nodes }) => id + ': ' + help + ': ' + nodes.map(({ html }) => html).join(' ')))`);
}

/** Fails if the page is wider than the screen. */
export async function assertFits(page: Page, what: string): Promise<void> {
  const { scroll, client } = await page.evaluate<{ scroll: number; client: number }>(
    '({ scroll: document.documentElement.scrollWidth, client: document.documentElement.clientWidth })',
  );
  const tooWide = Math.max(0, scroll - client);
  assert.equal(tooWide, 0, `${what} is ${tooWide} pixels wider than the screen`);
}
