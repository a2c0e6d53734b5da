// Test setup: own store, own limits.
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { OPERATIONS_FILE, withSettingsTable } from '../../../../scripts/settings-table.ts';
import { EXIT } from '../../src/commands/exit-code.ts';
import { SETTINGS } from '../../src/config/config.ts';
import { testStore } from '@mintmark/test-support/command-line';

const operations = readFileSync(OPERATIONS_FILE, 'utf8');
const ROOT = join(import.meta.dirname, '../../../..');
const SOURCES = join(ROOT, 'packages/server/src');
/** Files that a token request passes: more would be no straight line. */
const TOKEN_REQUEST_FILES_MAX = 20;
/** All but the changes, which speak of former versions. */
const documents = globSync(
  [
    '{README,CONTRIBUTING,CONTEXT,SECURITY}.md',
    'docs/**/*.md',
    'packages/*/README.md',
    'examples/*/README.md',
  ],
  { cwd: ROOT },
);
const storage = readFileSync(new URL('storage.md', OPERATIONS_FILE), 'utf8');

/** The formatter pads the cells of tables. */
function unpadded(text: string): string {
  return text.replaceAll(/ {2,}/g, ' ').replaceAll(/-{3,}/g, '---');
}

test('docs/operations.md has the table of settings that the settings themselves give', () => {
  const upToDate = unpadded(operations) === unpadded(withSettingsTable(operations));
  assert.ok(upToDate, 'run scripts/settings-table.ts, then npm run format');
});

test('no document names a setting that does not exist', () => {
  const known = new Set(Object.values(SETTINGS).map(({ env }) => env));
  // Of the client; `MINTMARK_` stands for all.
  for (const name of [
    '',
    'TEST_',
    'TEST_UNKNOWN_TTL',
    'CLIENT_ID',
    'CLIENT_SECRET',
    'CLIENT_SECRET_FILE',
    'CLIENT_ALLOW_INSECURE',
    'CLIENT_KEY_FILE',
    'IDENTITY_TOKEN_FILE',
    // Of `mintmark check-client`.
    'TOKEN_URL',
    'API_URL',
    'CALLS',
    'PARALLEL',
  ])
    known.add(`MINTMARK_${name}`);
  for (const document of documents) {
    const text = readFileSync(join(ROOT, document), 'utf8');
    for (const [name] of text.matchAll(/\bMINTMARK_[A-Z_]*/g))
      assert.ok(known.has(name), `${document}: ${name}`);
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

test('docs/architecture.md follows a token request through functions that the code has', () => {
  const architecture = readFileSync(new URL('architecture.md', OPERATIONS_FILE), 'utf8');
  const [, section = ''] = architecture.split('\n## Follow a token request\n');
  const [list = ''] = section.split('\n## ');
  const steps = Array.from(list.matchAll(/^\d+\. `([^`]+\.ts)`: (.+)$/gm), ([, file = '', text = '']) => ({
    file,
    functions: Array.from(text.matchAll(/`([a-z]\w+)`/g), ([, name = '']) => name),
  }));
  assert.ok(steps.length >= 10 && steps.length <= TOKEN_REQUEST_FILES_MAX, `${steps.length} files`);
  assert.equal(new Set(steps.map(({ file }) => file)).size, steps.length, 'a file is named twice');
  for (const { file, functions } of steps) {
    assert.notEqual(functions.length, 0, `${file}: no function`);
    const source = readFileSync(join(SOURCES, file), 'utf8');
    for (const name of functions)
      assert.match(source, new RegExp(`function ${name}\\b|^  ${name}\\(`, 'm'), `${file}: ${name}`);
  }
  // A step is called by one above it, or compose.ts hands it in.
  const callers = [readFileSync(join(SOURCES, 'server/compose.ts'), 'utf8')];
  for (const { file } of steps) {
    const name = file.slice(file.lastIndexOf('/'));
    const isCalled = callers.some((source) => source.includes(`${name}'`)) || callers.length === 1;
    assert.ok(isCalled, `${file}: no step above imports it`);
    callers.push(readFileSync(join(SOURCES, file), 'utf8'));
  }
});

test('every file of this repository that a document links to exists', () => {
  for (const document of documents) {
    const text = readFileSync(join(ROOT, document), 'utf8');
    for (const [, link = ''] of text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)) {
      assert.ok(existsSync(join(ROOT, document, '..', link)), `${document}: ${link}`);
    }
  }
});

test('every decision that a document or a comment cites exists', () => {
  const numbers = new Set(
    globSync('*.md', { cwd: join(ROOT, 'docs/decisions') }).map((name) => name.slice(0, 3)),
  );
  const texts = [
    ...documents,
    ...globSync(['bench/results/*.md', 'packages/*/{src,test}/**/*.{ts,tsx}', 'bench/*.ts', 'scripts/*'], {
      cwd: ROOT,
    }),
  ];
  for (const path of texts) {
    const text = readFileSync(join(ROOT, path), 'utf8');
    for (const [cited, number = ''] of text.matchAll(/decisions?[ /]\[?(\d{3})\b/g)) {
      assert.ok(numbers.has(number), `${path}: ${cited}`);
    }
  }
});
