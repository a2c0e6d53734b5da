// Test setup: own store, own limits.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { OPERATIONS_FILE, withSettingsTable } from '../../../../scripts/settings-table.ts';
import { EXIT } from '../../src/commands/exit-code.ts';
import { SETTINGS } from '../../src/config/config.ts';
import { testStore } from '@mintmark/test-support/command-line';

const operations = readFileSync(OPERATIONS_FILE, 'utf8');
const storage = readFileSync(new URL('storage.md', OPERATIONS_FILE), 'utf8');

/** The formatter pads the cells of tables. */
function unpadded(text: string): string {
  return text.replaceAll(/ {2,}/g, ' ').replaceAll(/-{3,}/g, '---');
}

test('docs/operations.md has the table of settings that the settings themselves give', () => {
  const upToDate = unpadded(operations) === unpadded(withSettingsTable(operations));
  assert.ok(upToDate, 'run scripts/settings-table.ts, then npm run format');
});

test('docs/operations.md names no setting that does not exist', () => {
  const known = new Set(Object.values(SETTINGS).map(({ env }) => env));
  for (const name of ['MINTMARK_CLIENT_ID', 'MINTMARK_CLIENT_SECRET', 'MINTMARK_']) known.add(name);
  for (const text of [operations, storage]) {
    for (const [name] of text.matchAll(/\bMINTMARK_[A-Z_]*/g)) assert.ok(known.has(name), name);
  }
});

test('docs/operations.md explains every exit code', () => {
  const [, section = ''] = operations.split('## Exit codes');
  const listed = Array.from(section.matchAll(/^\| (\d) +\|/gm), ([, code]) => Number(code));
  assert.deepEqual(listed, Object.values(EXIT));
});

test('docs/storage.md has exactly the tables and columns of a migrated store', async () => {
  using store = await testStore();
  const documented = storage
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const [, table = ''] = /^`(\w+)`/.exec(section) ?? [];
      return [table, Array.from(section.matchAll(/^\| `(\w+)` +\|/gm), ([, column]) => column)] as const;
    });
  const tables = store.sql(
    "select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'",
  );
  const stored = tables.map(({ name }) => {
    const columns = store.sql('select name from pragma_table_info(?)', String(name));
    return [String(name), columns.map((column) => String(column['name']))] as const;
  });
  assert.deepEqual(new Map(documented), new Map(stored));
  const versions = store.sql('pragma application_id');
  assert.equal(versions[0]?.['application_id'], 0x4d494e54);
});
