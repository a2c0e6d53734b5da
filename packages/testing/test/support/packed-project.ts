// What npm would publish, as an integrator installs it: tarballs in an empty project.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { userEnvironment } from '../../../../scripts/user-environment.ts';

export const ROOT: string = new URL('../../../..', import.meta.url).pathname;
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');
const PACKAGES = ['server', 'testing', 'client', 'verifier'];
const CONTENT = ['package.json', 'README.md', 'LICENSE', 'bin', 'console/dist'];
const INSTALL_MS = 240_000;
export const NOT_INSTALLED = 'the packages could not be installed from the npm cache or the registry';

export const env: NodeJS.ProcessEnv = userEnvironment();

export interface PackedPackages extends Disposable {
  /** The folder of @mintmark/testing as it is published. */
  testing: string;
  /** By the name of the folder below packages/. */
  tarballs: Readonly<Record<string, string>>;
  /** An empty project with all tarballs and other packages; null if they cannot be installed. */
  project(others?: readonly string[]): string | null;
}

export function packPackages(): PackedPackages {
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-packages-'));
  const copyOf = (name: string) => join(folder, 'packages', name);
  const tarballs = Object.fromEntries(PACKAGES.map((name) => [name, pack(name, copyOf(name), folder)]));
  let projects = 0;
  return {
    testing: copyOf('testing'),
    tarballs,
    project(others = []) {
      const project = join(folder, `project-${(projects += 1)}`);
      mkdirSync(project);
      writeFileSync(join(project, 'package.json'), '{"private":true}');
      return install(project, [...Object.values(tarballs), ...others]) ? project : null;
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Built beside the sources and packed, as npm run build and npm pack do, but in another folder. */
function pack(name: string, copy: string, folder: string): string {
  const source = join(ROOT, 'packages', name);
  for (const entry of CONTENT) {
    if (existsSync(join(source, entry))) cpSync(join(source, entry), join(copy, entry), { recursive: true });
  }
  // npm run check checks the types.
  const build = ['-p', join(source, 'tsconfig.build.json'), '--noCheck', '--outDir', join(copy, 'dist')];
  execFileSync(process.execPath, [TSC, ...build]);
  const options = ['pack', '--ignore-scripts', '--pack-destination', folder];
  const printed = execFileSync('npm', options, { cwd: copy, env, stdio: 'pipe' }).toString();
  return join(folder, printed.trim().split('\n').at(-1) ?? '');
}

/** From npm's cache, else from the registry. Without either it throws in CI, and says so elsewhere. */
function install(project: string, packages: readonly string[]): boolean {
  const flags = ['--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund', '--fetch-retries=1'];
  const { status, stderr } = spawnSync('npm', ['install', ...flags, ...packages], {
    cwd: project,
    env,
    encoding: 'utf8',
    timeout: INSTALL_MS,
  });
  if (status === 0) return true;
  if (process.env['CI'] !== undefined) throw new Error(`npm install failed:\n${stderr}`);
  console.error(`SKIPPED: ${NOT_INSTALLED}.\n${stderr}`);
  return false;
}
