// Test setup: own store, own limits.
import assert from 'node:assert/strict';
import { globSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';

const SOURCES = join(import.meta.dirname, '../../src');

/** Who may write to the store without an entry in the audit log, and why. */
const UNAUDITED: Record<string, string> = {
  'admin/audited.ts audited': 'it makes the entries',
  'admin/audited.ts recordRefusal': 'the same',
  'admin/in-use.ts gatherUses': 'asks every process to write the uses that it holds',
  'store-files/open.ts masterKeyOf': 'a fact about the store: the check of its master key',
  'admin/signing-key.ts recordSchedule': 'a fact about the store: the durations of a server',
  'admin/issuer.ts recordIssuer': 'a fact about the store: where its server answers',
  'admin/signing-key.ts proveSigningKeys': 'the proofs of keys that an earlier version made',
  'admin/revocation.ts recordTokenLife': 'a fact about the store: how long tokens live',
  'oauth/record-revocation.ts revokeOneToken': 'an API user gives up a token of its own (RFC 7009)',
  'admin/operators/failed-sign-ins.ts createFailedSignIns': 'it makes an entry for many attempts together',
  'admin/operators/sessions.ts createSessionFinder': 'when an operator was last seen, to the minute',
  'runtime/unreadable-addresses.ts createUnreadableAddresses': 'a fact about the proxies, for doctor',
  'server/maintenance.ts createMaintenance': 'removes what was kept for as long as the settings say',
};

test('every change of the store is audited, except those named here', () => {
  const files = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' });
  const found = new Set<string>();
  for (const file of files.filter((name) => name.endsWith('.ts') && !name.startsWith('storage'))) {
    let enclosing = '';
    for (const line of readFileSync(join(SOURCES, file), 'utf8').split('\n')) {
      enclosing = /^(?:export )?(?:async )?function (\w+)/.exec(line)?.[1] ?? enclosing;
      if (/\bstore(?:\?|!)?\.write\(|\bstore\b.*\['write'\]|\bwrite\b.*\} = .*\bstore\b/.test(line)) {
        found.add(`${file} ${enclosing}`);
      }
    }
  }
  assert.deepEqual(Array.from(found).toSorted(), Object.keys(UNAUDITED).toSorted());
});

const ROOT = join(import.meta.dirname, '../../../..');
const WORDS_MAX = 12;

function testFiles(): { path: string; text: string }[] {
  const paths = globSync(['packages/*/test/**/*.ts', 'examples/**/*.test.ts', 'scripts/**/*.test.ts'], {
    cwd: ROOT,
    exclude: (path) => path.includes('node_modules'),
  });
  return paths.map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));
}

/** What `test(…)` and `describe(…)` have as first argument, also if that is a constant of the file. */
function namesIn(text: string): string[] {
  const calls = text.matchAll(/(?<![\w.])(?:t\.)?(?:test|describe)\(\s*('[^'\n]*'|`[^`]*`|[A-Z_]+\b)/g);
  return Array.from(calls, ([, argument = '']) => {
    const constant = new RegExp(`const ${argument}\\b[^=]*=\\s*('[^'\\n]*'|\`[^\`]*\`)`);
    return (constant.exec(text)?.[1] ?? argument).slice(1, -1);
  });
}

test('names of tests have at most twelve words', () => {
  const names = testFiles().flatMap(({ path, text }) => namesIn(text).map((name) => ({ path, name })));
  assert.ok(names.length > 1000, `${names.length} names`);
  const words = (name: string) =>
    name
      .replace(/^security \d+: /, '') // the number of a promise in docs/threat-model.md
      .replaceAll(/\$\{[^}]*\}/g, 'value')
      .split(' ');
  assert.deepEqual(
    names.filter(({ name }) => words(name).length > WORDS_MAX),
    [],
  );
});

/** The words of "Test setup" (scripts/test-files.mjs), and what a file imports that needs them. */
const NEEDS = {
  PostgreSQL: /test-support\/(?:postgres|postgres-binaries|postgres-store)'/,
  Redis: /test-support\/redis'/,
  faketime: /test-support\/faketime'/,
} as const;

test('each test file says in its first line what it needs', () => {
  for (const { path, text } of testFiles().filter((file) => file.path.endsWith('.test.ts'))) {
    const [firstLine = ''] = text.split('\n', 1);
    for (const [word, needs] of Object.entries(NEEDS)) {
      if (needs.test(text)) assert.match(firstLine, new RegExp(`^// Test setup: .*${word}`), path);
    }
    if (/test-support\/browser'/.test(text)) assert.match(path, /\/console\//);
  }
});

test('each test file of the server has a name of its own', () => {
  const names = globSync('*/*.test.ts', { cwd: join(ROOT, 'packages/server/test') }).map((path) =>
    basename(path),
  );
  assert.deepEqual(
    names.filter((name, i) => names.indexOf(name) !== i),
    [],
  );
});
