// The runtimes that the packages support, from npm packages with their executables.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { RUNTIME_PACKAGES, type RuntimePackages } from './runtime-packages.ts';

export interface Runtime {
  readonly name: string;
  readonly command: readonly [executable: string, ...args: string[]];
  /** Why it is missing; never set in CI. */
  readonly problem?: string;
}

const DENO_ARGUMENTS = ['run', '--quiet', '--allow-all', '--no-lock', '--node-modules-dir=manual'];

/** Outside the repository, so that clones share it, and so that `npm ci` does not empty it. */
const CACHE = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'mintmark-runtimes');

/** Those that run a program from its file: workerd runs workers only. */
export const runtimeNames: readonly string[] = Object.keys(RUNTIME_PACKAGES).filter(
  (name) => name !== 'workerd',
);

const runtimes = new Map<string, Promise<Runtime>>();

/** Downloads a missing runtime once. In CI a missing runtime is an error. */
export function runtime(name: string): Promise<Runtime> {
  const result = runtimes.get(name) ?? find(name);
  runtimes.set(name, result);
  return result;
}

async function find(name: string): Promise<Runtime> {
  const packages = RUNTIME_PACKAGES[name];
  if (packages === undefined) throw new Error(`There is no runtime "${name}".`);
  const args = name === 'Deno' ? DENO_ARGUMENTS : [];
  if (name.startsWith('Node') && packages.version === process.versions.node)
    return { name, command: [process.execPath, ...args] };
  const platform = `${process.platform}-${process.arch}`;
  const one = packages.byPlatform[platform];
  if (one === undefined) return missing(name, `there is no ${name} ${packages.version} for ${platform}`);
  const folder = join(CACHE, `${one.name.replace('/', '+')}@${packages.version}`);
  const executable = join(folder, 'node_modules', one.name, packages.executable);
  const failure = existsSync(executable) ? '' : await install(folder, packages, one);
  if (existsSync(executable)) return { name, command: [executable, ...args] };
  const problem = `${one.name}@${packages.version} could not be installed: ${failure}`;
  if (process.env['CI'] !== undefined) throw new Error(problem);
  return missing(name, problem);
}

function missing(name: string, problem: string): Runtime {
  console.error(`NOT TESTED under ${name}: ${problem}`);
  return { name, command: [''], problem };
}

/**
 * Installs beside the target, then renames: two test files may do this at once. npm checks the integrity, because
 * the lockfile names it. Returns the error.
 */
async function install(
  folder: string,
  { version }: RuntimePackages,
  { name, integrity }: { name: string; integrity: string },
): Promise<string> {
  await mkdir(dirname(folder), { recursive: true });
  const beside = await mkdtemp(join(CACHE, 'new-'));
  try {
    const manifest = { name: 'mintmark-runtime', version: '0.0.0', dependencies: { [name]: version } };
    const packages = { '': manifest, [`node_modules/${name}`]: { version, integrity } };
    const lock = { ...manifest, lockfileVersion: 3, requires: true, packages };
    await writeFile(join(beside, 'package.json'), JSON.stringify(manifest));
    await writeFile(join(beside, 'package-lock.json'), JSON.stringify(lock));
    const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    await promisify(execFile)('npm', ['ci', ...flags], { cwd: beside });
    await rename(beside, folder);
    return '';
  } catch (error) {
    return (error as Error).message;
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
}
