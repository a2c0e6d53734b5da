// The pictures of organisations and the portal, for scripts/screenshots.ts.
import type { Browser, Page } from 'playwright-core';
import { PASSWORD, startCaller } from '@mintmark/test-support/console-journey';
import type { TestServer } from '@mintmark/test-support/server';

interface Camera {
  /** The console, with an admin signed in. */
  desk: Page;
  shoot: (page: Page, name: string, height?: number) => Promise<void>;
}

interface Made {
  client_id: string;
  client_secret: string;
}

/** Height for pages whose subject is further down. */
const TALL = 900;

/** An agency in the console, and in the portal of its members. */
export async function organisationPictures(
  on: TestServer,
  opened: Browser,
  { desk, shoot }: Camera,
): Promise<void> {
  const origin = `http://localhost:${on.port}`;
  const scopes = ['--scope', 'campaigns:read', '--scope', 'reports:read'];
  const agency = ['--name', 'Northwind Agency', ...scopes, '--quota-hour', '2000', '--quota-mode', 'enforce'];
  const { id } = await on.json<{ id: string }>('organisation', 'create', ...agency);
  const made: Made[] = [];
  for (const name of ['Nightly report', 'Bidding robot', 'Product feed']) {
    const options = ['--name', name, '--organisation', id, '--scope', 'campaigns:read'];
    made.push(await on.json<Made>('api-user', 'create', ...options));
  }
  const [report] = made as [Made];
  const portal = await memberPage(on, opened, `${origin}/console/organisations/${id}`, desk);
  const callers = made.map((user, i) => startCaller(on, user.client_id, user.client_secret, 300 * (i + 1)));
  await portal.waitForTimeout(15_000);
  await portal.goto(`${origin}/portal/organisations/${id}`);
  await portal.getByText('just now').first().waitFor();
  await shoot(portal, 'portal-start');
  const page = `${origin}/portal/organisations/${id}`;
  await portal.goto(`${page}/api-users/${report.client_id}/quickstart`);
  await portal.getByText(/A token was issued at/).waitFor();
  await shoot(portal, 'portal-quickstart', TALL - 50);
  await Promise.all(callers.map((caller) => caller.stop()));
  const form = { client_id: report.client_id, client_secret: report.client_secret };
  const refused = await on.post({ ...form, scope: 'campaigns:delete' });
  await portal.goto(`${page}/refused-requests?trace_id=${refused.headers.get('x-request-id')}`);
  await portal.getByText('Scope it does not have').waitFor();
  await shoot(portal, 'portal-refused');

  await desk.goto(`${origin}/console/organisations/${id}/policy`);
  await desk.getByRole('button', { name: 'Remove scope campaigns:read' }).click();
  await desk.getByText('This policy forbids what there is now').waitFor();
  await desk.evaluate('scrollTo(0, document.body.scrollHeight)');
  await shoot(desk, 'organisation-policy', TALL - 180);
}

/** The portal of the organisation, as its first member sees it. */
async function memberPage(on: TestServer, opened: Browser, address: string, desk: Page): Promise<Page> {
  await desk.goto(address);
  await desk.getByRole('button', { name: 'Invite a member' }).click();
  await desk.getByLabel('E-mail address').fill('berta@agency.example');
  await desk.getByRole('radio', { name: /^Admin/ }).check();
  await desk.getByRole('button', { name: 'Create the link' }).click();
  const link = new URL(await desk.getByRole('dialog').locator('pre').innerText());
  on.noteSecret(link.hash.slice(1));
  await desk.getByRole('button', { name: 'I have passed it on' }).click();
  const page = await opened.newPage({ viewport: { width: 1060, height: 670 }, colorScheme: 'light' });
  await page.goto(`http://localhost:${on.port}${link.pathname}${link.hash}`);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Join Northwind Agency' }).click();
  await page.getByRole('heading', { name: 'Northwind Agency', level: 1 }).waitFor();
  return page;
}
