// Writes the table of routes in docs/admin-api.md from a server's OpenAPI document. Run it with the pinned
// Node (node_modules/.bin/node), then `npm run format`.
import { readFileSync, writeFileSync } from 'node:fs';
import { adminDocument, type AdminDocument } from '@mintmark/test-support/described';
import { startServer } from '@mintmark/test-support/server';

export const ADMIN_API_FILE: URL = new URL('../docs/admin-api.md', import.meta.url);

const BEGIN = '<!-- routes: written by scripts/admin-routes-table.ts -->\n';
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

if (process.argv[1] === new URL(import.meta.url).pathname) {
  await using server = await startServer();
  const document = await adminDocument(server.port);
  writeFileSync(ADMIN_API_FILE, withRoutesTable(readFileSync(ADMIN_API_FILE, 'utf8'), document));
}
