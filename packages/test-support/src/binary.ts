import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { INHERITED } from './inherited.ts';
import { withDatabase } from './store-under-test.ts';
import type { Run } from './command-line.ts';

export const BINARY: string = new URL('../../server/bin/mintmark.mjs', import.meta.url).pathname;

export interface BinaryOptions {
  env?: Record<string, string>;
  stdin?: string;
  /** Arguments before the command line, such as a command that drops rights. */
  prefix?: readonly string[];
  /** Path of a `mintmark` that was installed outside this repository. */
  program?: string | undefined;
}

const EXIT_MS = 60_000;

/** Runs the real binary as a child process until it exits. */
export async function binary(args: readonly string[], options: BinaryOptions = {}): Promise<Run> {
  const [command = '', ...rest] = [
    ...(options.prefix ?? []),
    process.execPath,
    options.program ?? BINARY,
    ...args,
  ];
  const child = spawn(command, rest, {
    env: { ...INHERITED, ...(await withDatabase(options.env ?? {})) },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.on('error', () => undefined); // the child may end before it reads
  child.stdin.end(options.stdin ?? '');
  return await finished(child);
}

/** A child process's output and exit code (-1: ended by a signal). */
export async function finished(child: ChildProcess, withinMs: number = EXIT_MS): Promise<Run> {
  let out = '';
  let err = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (err += text));
  const timer = setTimeout(() => child.kill('SIGKILL'), withinMs);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  return { code: code ?? -1, out, err };
}
