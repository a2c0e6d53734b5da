// The package as a user gets it: compiled, packed, and installed from the tarball into an empty project.
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { projectWith, type PackedPackage } from '@mintmark/test-support/packed';

const run = promisify(execFile);
export const packageDir: string = fileURLToPath(new URL('../..', import.meta.url));
export const modules: string = join(packageDir, '../../node_modules');
export const tsc: string = join(modules, 'typescript/bin/tsc');

export interface PackedClient extends AsyncDisposable, PackedPackage {
  /** A project in which nothing but the tarball is installed. */
  readonly project: string;
  write(name: string, content: string): Promise<string>;
}

export async function packClient(): Promise<PackedClient> {
  const { folder: project, packed, problem, [Symbol.asyncDispose]: dispose } = await projectWith('client');
  const [client] = packed;
  if (client === undefined || problem !== '') throw new Error(`npm install failed: ${problem}`);
  return {
    ...client,
    project,
    async write(name, content) {
      const path = join(project, name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, content);
      return path;
    },
    [Symbol.asyncDispose]: dispose,
  };
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
