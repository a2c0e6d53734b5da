// The package as a user gets it: compiled, packed, and installed from the tarball into an empty project.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
export const packageDir: string = fileURLToPath(new URL('../..', import.meta.url));
export const modules: string = join(packageDir, '../../node_modules');
export const tsc: string = join(modules, 'typescript/bin/tsc');
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';

/** Its own cache, and nothing of the npm that runs the tests: several test files do this at the same time. */
async function npmIn(root: string, cwd: string, ...args: string[]): Promise<string> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name));
  const env = { ...Object.fromEntries(inherited), npm_config_cache: join(root, 'npm-cache') };
  const { stdout, stderr } = await run(npm, [...args, '--ignore-scripts'], { cwd, env });
  return stdout || stderr;
}

export interface PackedPackage extends AsyncDisposable {
  /** The package's folder as it is published. */
  readonly folder: string;
  readonly tarball: string;
  readonly files: string[];
  /** A project in which nothing but the tarball is installed. */
  readonly project: string;
  write(name: string, content: string): Promise<string>;
}

export async function packClient(): Promise<PackedPackage> {
  const root = await mkdtemp(join(tmpdir(), 'mintmark-pack-'));
  const folder = join(root, 'package');
  const project = join(root, 'project');
  await mkdir(project);
  for (const name of ['package.json', 'README.md', 'LICENSE'])
    await cp(join(packageDir, name), join(folder, name));
  await run(process.execPath, [
    tsc,
    '-p',
    join(packageDir, 'tsconfig.build.json'),
    '--outDir',
    join(folder, 'dist'),
  ]);
  const stdout = await npmIn(root, folder, 'pack', '--json', '--pack-destination', root);
  const { filename, files } = packResult(stdout);
  const tarball = join(root, filename);
  await writeFile(join(project, 'package.json'), '{"name":"project","private":true}');
  const printed = await npmIn(root, project, 'install', '--offline', '--no-audit', '--no-fund', tarball);
  if (!existsSync(join(project, 'node_modules/@mintmark/client/package.json'))) {
    throw new Error(`npm install left nothing behind: ${printed}`);
  }
  return {
    folder,
    tarball,
    files,
    project,
    async write(name, content) {
      const path = join(project, name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, content);
      return path;
    },
    [Symbol.asyncDispose]: () => rm(root, { recursive: true }),
  };
}

/** What `npm pack --json` printed: a list, or since npm 11 an object by package name. */
function packResult(stdout: string): { filename: string; files: string[] } {
  const printed: object = JSON.parse(stdout);
  const [entry]: { filename: string; files: { path: string }[] }[] = Object.values(printed);
  if (!entry) throw new Error(`npm pack printed ${stdout}`);
  return { filename: entry.filename, files: entry.files.map(({ path }) => path) };
}

/** Runs a program and gives back what it printed on both streams; rejects with that where its exit code is not 0. */
export async function output(
  command: string,
  args: string[],
  cwd: string,
  env: Record<string, string> = {},
): Promise<string> {
  const { stdout, stderr } = await run(command, args, { cwd, env: { ...process.env, ...env } }).catch(
    (error: Error & { stdout?: string; stderr?: string }) => {
      throw new Error(`${command} ${args.join(' ')}: ${error.message}\n${error.stdout}\n${error.stderr}`);
    },
  );
  return stdout + stderr;
}

export async function readJson(path: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(path, 'utf8'));
}
