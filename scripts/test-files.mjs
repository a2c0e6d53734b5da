// The test files, and what each says of itself in its first line: `// Test setup: PostgreSQL, own store, first.`
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SECONDS_FILE = join(ROOT, 'node_modules/.cache/mintmark/test-seconds.json');

/** What a file may say of itself. CONTRIBUTING.md explains them. */
export const SETUP_WORDS = new Set([
  // What it starts. Its tests are skipped on a machine without it.
  'PostgreSQL',
  'Redis',
  'faketime',
  'jose',
  'authlib',
  // It has a store of its own, or none: a run with --store=postgres leaves it out.
  'own store',
  // The same for limits: a run with --limits=redis leaves it out.
  'own limits',
  // It takes half a minute or more, and a shorter test tries the most of it: only by name, or with --long.
  'long',
  // It is slow, so it begins first: a slow file that begins last runs alone while a processor has nothing to do.
  'first',
  // It compares times, so it runs after all others and by itself.
  'alone',
  // It asks much of the store: `npm test` runs it on PostgreSQL as well.
  'also on PostgreSQL',
]);

/** Estimates for a file that this clone has not run yet. */
const FIRST_SECONDS = 30;
const OTHER_SECONDS = 4;

/** Returns every test file with its path from the root, its setup words, and the seconds that it took last time. */
export function readTestFiles() {
  const seconds = readSeconds();
  const paths = globSync(['packages/*/test/**/*.test.ts', 'examples/**/*.test.ts', 'scripts/**/*.test.ts'], {
    cwd: ROOT,
    exclude: (path) => path.includes('node_modules'),
  });
  return paths.sort().map((path) => {
    const setup = setupIn(path);
    const estimate = setup.has('first') || setup.has('long') ? FIRST_SECONDS : OTHER_SECONDS;
    return { path, setup, seconds: seconds[path] ?? estimate };
  });
}

function setupIn(path) {
  const [firstLine] = readFileSync(join(ROOT, path), 'utf8').split('\n', 1);
  const [, list] = /^\/\/ Test setup: (.*)\.$/.exec(firstLine) ?? [];
  const words = list?.split(', ') ?? [];
  const unknown = words.filter((word) => !SETUP_WORDS.has(word));
  if (unknown.length > 0) throw new Error(`${path}: unknown words in "Test setup": ${unknown.join(', ')}`);
  return new Set(words);
}

function readSeconds() {
  try {
    return JSON.parse(readFileSync(SECONDS_FILE, 'utf8'));
  } catch {
    return {};
  }
}

/** Records how long files took. `measured`: a Map of path and seconds. */
export function recordSeconds(measured) {
  mkdirSync(dirname(SECONDS_FILE), { recursive: true });
  writeFileSync(SECONDS_FILE, JSON.stringify({ ...readSeconds(), ...Object.fromEntries(measured) }));
}
