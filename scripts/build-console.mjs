// Builds the console (packages/console) with Vite if its sources changed since the last build; `force` always
// builds. Plain JavaScript: scripts/run.mjs imports it on any Node.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = 'packages/console';
const BUILT = 'packages/server/console/dist';
/** Sources outside the folder. The lock file stands for Vite and the libraries. */
const OTHER_SOURCES = [
  'packages/server/src/http/public/console-pages.ts',
  ...[
    'credential',
    'characters',
    'organisation',
    'organisation-record',
    'trust-presets',
    'trust-rule-json',
    'trust-rule-text',
  ].map((name) => `packages/server/src/domain/${name}.ts`),
  'package-lock.json',
];

/** True if the console is built from the present sources. */
export function buildConsole(root, node, { force = false } = {}) {
  const stamp = join(root, BUILT, '.stamp');
  const wanted = digestOfSources(root);
  if (!force && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return true;
  const startedAt = Date.now();
  console.log('mintmark: building the console …');
  const vite = join(root, 'node_modules/vite/bin/vite.js');
  const built = spawnSync(node, [vite, 'build', join(root, FOLDER), '--logLevel', 'warn'], {
    cwd: root,
    // stderr, because `npm pack --json` prints JSON to stdout.
    stdio: ['ignore', process.stderr.fd, 'inherit'],
  });
  if (built.status !== 0) return false;
  writeFileSync(stamp, wanted);
  console.log(`mintmark: built the console in ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
  return true;
}

function digestOfSources(root) {
  const hash = createHash('sha256');
  const files = readdirSync(join(root, FOLDER), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  for (const path of [...files, ...OTHER_SOURCES.map((source) => join(root, source))]) {
    hash.update(path.slice(root.length)).update('\0').update(readFileSync(path)).update('\0');
  }
  return hash.digest('hex');
}
