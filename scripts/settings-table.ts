// Writes the table of settings in docs/operations.md from their definitions. Run it with the pinned Node
// (node_modules/.bin/node), then `npm run format`.
import { readFileSync, writeFileSync } from 'node:fs';
import { SETTINGS } from '../packages/server/src/config/config.ts';

export const OPERATIONS_FILE: URL = new URL('../docs/operations.md', import.meta.url);

const BEGIN = '<!-- settings: written by scripts/settings-table.ts -->\n';
const END = '<!-- end of settings -->\n';

export function settingsTable(): string {
  const rows = Object.values(SETTINGS).map(({ env, flag, default: standard, value, help }) => [
    `\`${env}\``,
    flag === null ? 'none' : `\`--${flag}\``,
    standard === '' ? '' : `\`${standard}\``,
    unitOf(value),
    help.replaceAll('<', '&lt;').replaceAll('|', '\\|'),
  ]);
  const heading = ['Environment', 'Flag', 'Default', 'Unit', 'Meaning'];
  return [heading, heading.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

/** The file's text with the current table. */
export function withSettingsTable(text: string): string {
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin < 0 || end < begin) throw new Error('docs/operations.md has no place for the table of settings.');
  return `${text.slice(0, begin + BEGIN.length)}\n${settingsTable()}\n${text.slice(end)}`;
}

/** `<seconds>` is a unit, `<a|b>` a choice. */
function unitOf(value: string): string {
  return value.slice(1, -1).replaceAll('|', ' or ');
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  writeFileSync(OPERATIONS_FILE, withSettingsTable(readFileSync(OPERATIONS_FILE, 'utf8')));
}
