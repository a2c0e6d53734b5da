// Test setup: own store, own limits.
// Rules that hold for the tests themselves.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from './lint.ts';

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
  'jose, authlib': /test-support\/debian-programs'/,
} as const;

test('each test file says in its first line what it needs', () => {
  for (const { path, text } of testFiles().filter((file) => file.path.endsWith('.test.ts'))) {
    const [firstLine = ''] = text.split('\n', 1);
    for (const [word, needs] of Object.entries(NEEDS)) {
      if (needs.test(text)) assert.match(firstLine, new RegExp(`^// Test setup: .*${word}`), path);
    }
    if (/test-support\/browser'/.test(text)) assert.match(path, /\/console\/|\/runtimes\.test\.ts$/);
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
