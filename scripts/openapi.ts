// `npm run openapi` writes the OpenAPI documents of a server and of a sandbox to docs/, and the table of routes in docs/admin-api.md. A
// test compares them with the server, so that every change of the API shows in review.
import { readFileSync, writeFileSync } from 'node:fs';
import { adminDocument, type AdminDocument } from '@mintmark/test-support/described';
import { startControlledSandbox } from '../packages/server/src/server/sandbox/control/controlled-sandbox.ts';
import { startServer, type TestServer } from '@mintmark/test-support/server';

export const GOLDEN: Readonly<Record<string, URL>> = {
  '/openapi.json': new URL('../docs/openapi.json', import.meta.url),
  '/marketing/admin/v1/openapi.json': new URL('../docs/admin-openapi.json', import.meta.url),
  '/marketing/portal/v1/openapi.json': new URL('../docs/portal-openapi.json', import.meta.url),
};

export const ADMIN_API_FILE: URL = new URL('../docs/admin-api.md', import.meta.url);

export const SANDBOX_FILE: URL = new URL('../docs/sandbox-openapi.json', import.meta.url);

const BEGIN = '<!-- routes: written by npm run openapi -->\n';
const END = '<!-- end of routes -->\n';

function routesTable({ paths }: AdminDocument): string {
  const rows = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { summary, description }]) => [
      `\`${method.toUpperCase()} ${path}\``,
      summary,
      whoMay(description),
    ]),
  );
  const heading = ['Route', 'What it does', 'For'];
  return [heading, heading.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

/** The last sentence of each description names the role (http/admin/openapi.ts). */
function whoMay(description: string): string {
  if (description.endsWith('For anybody.')) return 'anybody';
  if (description.includes('every person who is signed in')) return 'everybody signed in';
  if (description.includes('of every role')) return '`viewer`';
  return description.includes('`operator` or `admin`') ? '`operator`' : '`admin`';
}

/** The file's text with the current table. */
export function withRoutesTable(text: string, document: AdminDocument): string {
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin < 0 || end < begin) throw new Error('docs/admin-api.md has no place for the table of routes.');
  return `${text.slice(0, begin + BEGIN.length)}\n${routesTable(document)}\n${text.slice(end)}`;
}

/** What the server answers at this path, with the default port in place of its own. */
export async function documentAt({ port }: TestServer, path: string): Promise<unknown> {
  const text = await (await fetch(`http://localhost:${port}${path}`)).text();
  return JSON.parse(text.replaceAll(`localhost:${port}`, 'localhost:8080'));
}

/** The document of the control API of a sandbox, with the default port. */
export async function sandboxDocument(controlUrl: string): Promise<unknown> {
  const text = await (await fetch(`${controlUrl}/openapi.json`)).text();
  return JSON.parse(text.replaceAll(new URL(controlUrl).host, '127.0.0.1:8091'));
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  await using server = await startServer();
  for (const [path, file] of Object.entries(GOLDEN))
    writeFileSync(file, `${JSON.stringify(await documentAt(server, path), null, 2)}\n`);
  const sandbox = await startControlledSandbox({ runs: true, scopes: [], controlPort: 0 });
  const described = await sandboxDocument(sandbox.description().control_url);
  await sandbox.stop();
  writeFileSync(SANDBOX_FILE, `${JSON.stringify(described, null, 2)}\n`);
  const document = await adminDocument(server.port);
  writeFileSync(ADMIN_API_FILE, withRoutesTable(readFileSync(ADMIN_API_FILE, 'utf8'), document));
}
