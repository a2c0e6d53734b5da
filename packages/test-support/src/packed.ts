// Packages as users get them: compiled, packed, and installed from their tarballs into an empty project.
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');
const NPM = process.platform === 'win32' ? 'npm.cmd' : 'npm';
const INSTALL_MS = 60_000;

export interface PackedPackage {
  /** The package's folder as it is published. */
  readonly folder: string;
  readonly tarball: string;
  readonly files: readonly string[];
}

/** Compiles a package of this repository into a folder, and packs it there. Nothing beside the sources changes. */
export async function packPackage(name: string, root: string): Promise<PackedPackage> {
  const source = join(ROOT, 'packages', name);
  const folder = join(root, `package-${name}`);
  await mkdir(folder, { recursive: true });
  for (const file of ['package.json', 'README.md', 'LICENSE'])
    await cp(join(source, file), join(folder, file));
  const config = join(source, 'tsconfig.build.json');
  await run(process.execPath, [TSC, '-p', config, '--outDir', join(folder, 'dist')]);
  const printed = await npm(folder, 'pack', '--json', '--pack-destination', root);
  // A list, or since npm 11 an object by package name.
  const [entry]: { filename: string; files: { path: string }[] }[] = Object.values(
    JSON.parse(printed) as object,
  );
  if (!entry) throw new Error(`npm pack printed ${printed}`);
  return {
    folder,
    tarball: join(root, entry.filename),
    files: entry.files.map(({ path }) => path),
  };
}

export interface Project extends AsyncDisposable {
  readonly folder: string;
  /** The packages of this repository, as they were named. */
  readonly packed: readonly PackedPackage[];
  /** What npm said if the packages could not be installed. */
  readonly problem: string;
}

/** A project with packages of this repository, each from its tarball. Their dependencies come from npm's cache, or from npm. */
export async function projectWith(...names: string[]): Promise<Project> {
  const root = await mkdtemp(join(tmpdir(), 'mintmark-project-'));
  const folder = join(root, 'project');
  await mkdir(folder);
  await writeFile(join(folder, 'package.json'), '{"private":true,"type":"module"}');
  const packed = await Promise.all(names.map((name) => packPackage(name, root)));
  const flags = ['--prefer-offline', '--no-audit', '--no-fund', '--fetch-retries=1'];
  const tarballs = packed.map(({ tarball }) => tarball);
  const problem = await npm(folder, 'install', ...flags, ...tarballs).then(
    () => '',
    (error: Error) => error.message,
  );
  return { folder, packed, problem, [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }) };
}

/** Runs npm without what the npm that runs the tests has put into the environment. Returns what it printed. */
async function npm(cwd: string, ...args: string[]): Promise<string> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_)/i.test(name));
  const path = (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => !folder.includes('node_modules'))
    .join(delimiter);
  const env = { ...Object.fromEntries(inherited), PATH: path };
  const { stdout } = await run(NPM, [...args, '--ignore-scripts'], { cwd, env, timeout: INSTALL_MS });
  return stdout;
}
