// Chooses the tests that a change needs: those of the room of each changed file, those that import it, and a smoke set.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { ROOT } from './test-files.mjs';

/** Seconds of all chosen files together. Four run at a time: a run takes about half of that, and never more. */
const BUDGET_SECONDS = 210;

/** A few quick tests through the front door of each part, and the rules of the house. */
const SMOKE = [
  'packages/server/test/oauth/token-request.test.ts',
  'packages/server/test/admin/credentials.test.ts',
  'packages/server/test/commands/help.test.ts',
  'packages/server/test/house/house-rules.test.ts',
  'packages/server/test/house/test-rules.test.ts',
  'packages/server/test/house/docs.test.ts',
];

/** Tests that lie elsewhere than in the folder that has the same name as the room. */
const TESTS_OF = [
  [/^packages\/server\/src\/(\w[\w-]*)\//, (room) => `packages/server/test/${room}/`],
  [/^packages\/server\/src\/doctor\//, () => 'packages/server/test/commands/doctor'],
  [/^packages\/(client|verifier)\/(?!test\/)/, (name) => `packages/${name}/test/`],
  [/^packages\/console\//, () => 'packages/server/test/console/'],
  [/^(?:bench|docs)\//, () => 'scripts/scale'],
  [/^(deploy|examples)\//, (name) => (name === 'deploy' ? 'scripts/deploy' : 'examples/')],
  [/^(?:README\.md|package(?:-lock)?\.json|scripts\/run\.mjs)$/, () => 'scripts/bootstrap'],
];

const IMPORT = /\b(?:from|import) *\(?'(\.{1,2}\/[^']+|@mintmark\/[^']+)'|new URL\('(\.{1,2}\/[^']+)'/g;

/** Returns the chosen files, nearest first, and those that the time does not allow. `since`: a commit or branch. */
export function testsOfChange(files, since) {
  const distances = distancesFrom(changedFiles(since), files);
  const near = files
    .filter(({ path, setup }) => distances.has(path) && !(setup.has('long') && distances.get(path) > 0))
    .sort((a, b) => distances.get(a.path) - distances.get(b.path) || a.seconds - b.seconds);
  let sum = 0;
  const isInTime = near.map(
    ({ path, seconds }) => (sum += seconds) <= BUDGET_SECONDS || distances.get(path) === 0,
  );
  return { chosen: near.filter((_, i) => isInTime[i]), leftOut: near.filter((_, i) => !isInTime[i]) };
}

/** Everything that differs from the commit at which this branch left `since`, also what is not committed yet. */
function changedFiles(since) {
  const git = (...args) =>
    execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).split('\n').filter(Boolean);
  const [base] = git('merge-base', since, 'HEAD');
  return [...git('diff', '--name-only', base), ...git('ls-files', '--others', '--exclude-standard')];
}

/** Distance 0: the changed tests. 1: the smoke set. 2: the room of a change. 3 and more: what imports it, step by step. */
function distancesFrom(changed, files) {
  const distances = new Map();
  const note = (path, distance) => distances.set(path, Math.min(distance, distances.get(path) ?? distance));
  for (const path of changed) if (path.endsWith('.test.ts')) note(path, 0);
  for (const path of SMOKE) note(path, 1);
  const places = changed.flatMap((path) =>
    TESTS_OF.flatMap(([pattern, place]) => {
      const match = pattern.exec(path);
      return match === null ? [] : [place(match[1])];
    }),
  );
  for (const { path } of files) if (places.some((place) => path.startsWith(place))) note(path, 2);
  for (const { path } of files) {
    const steps = stepsTo(new Set(changed), path);
    if (steps !== undefined) note(path, 2 + steps);
  }
  return distances;
}

/** By how many imports a file reaches one of `targets`; undefined if it reaches none. */
function stepsTo(targets, from) {
  let level = [from];
  const seen = new Set(level);
  for (let steps = 0; level.length > 0; steps++) {
    if (steps > 0 && level.some((path) => targets.has(path))) return steps;
    const next = level.flatMap((path) => importsOf(path)).filter((path) => !seen.has(path));
    level = Array.from(new Set(next));
    for (const path of level) seen.add(path);
  }
  return undefined;
}

const imports = new Map();

/** The files of this repository that a file imports or names by `new URL`. */
function importsOf(path) {
  if (!imports.has(path)) {
    const isCode = /\.(?:ts|tsx|mjs)$/.test(path) && existsSync(join(ROOT, path));
    const text = isCode ? readFileSync(join(ROOT, path), 'utf8') : '';
    imports.set(
      path,
      Array.from(text.matchAll(IMPORT), ([, specifier, url]) => resolved(path, specifier ?? url)),
    );
  }
  return imports.get(path);
}

function resolved(path, specifier) {
  const [, name, file = 'index'] = /^@mintmark\/([a-z-]+)(?:\/(.+))?$/.exec(specifier) ?? [];
  if (name !== undefined) return `packages/${name}/src/${file}.ts`;
  return relative(ROOT, join(ROOT, dirname(path), specifier));
}
