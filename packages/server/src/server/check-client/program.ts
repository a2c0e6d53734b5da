import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { inQuotes } from '../../domain/characters.ts';
import { AppError } from '../../domain/app-error.ts';
import { valueWithin } from '../../lib/deadline.ts';
import { createLeakScan, type Credentials } from './leak-scan.ts';
import type { ProgramEnd } from './observation.ts';

/** Time between SIGTERM and SIGKILL. */
const KILL_MS = 2000;
/** Time for the last output after the end: a process that left the group may hold the pipes. */
const OUTPUT_MS = 1000;

export interface ProgramStart {
  /** The program and its arguments. */
  command: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  credentials: Credentials;
  limitMs: number;
  /** Ends the program early. */
  signal: AbortSignal;
}

/** Runs a program to its end, or to its time limit. Ends its whole process group. */
export async function runProgram(start: ProgramStart): Promise<ProgramEnd> {
  const { command, env, credentials, limitMs, signal } = start;
  const [file = '', ...parameters] = command;
  const scan = createLeakScan(credentials);
  const child = spawn(file, parameters, {
    env: { ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.on('data', (chunk: Buffer) => scan.add('stdout', chunk));
  child.stderr.on('data', (chunk: Buffer) => scan.add('stderr', chunk));
  // Listens before the first await: the program may end at any time.
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const closed = once(child, 'close');
  exited.catch(() => {});
  closed.catch(() => {});
  const over = new AbortController();
  const killAtExit = () => endGroup(child, 'SIGKILL');
  process.on('exit', killAtExit);
  try {
    const stopped = once(signal, 'abort', { signal: over.signal }).then(
      () => null,
      () => null,
    );
    const inTime = await valueWithin(Promise.race([exited, stopped]), limitMs, null);
    const [exitCode] = inTime ?? (await endProgram(child, exited));
    endGroup(child, 'SIGKILL');
    await valueWithin(closed, OUTPUT_MS, null);
    return { exitCode, timedOut: inTime === null, leaks: scan.leaks(), lastLine: scan.lastLine() };
  } catch (error) {
    throw notStarted(file, error);
  } finally {
    over.abort();
    process.off('exit', killAtExit);
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

async function endProgram(child: ChildProcess, exited: Promise<[number | null]>): Promise<[number | null]> {
  endGroup(child, 'SIGTERM');
  const inTime = await valueWithin(exited, KILL_MS, null);
  if (inTime !== null) return inTime;
  endGroup(child, 'SIGKILL');
  return await exited;
}

/** Sends a signal to the program and to the processes that it started. */
function endGroup(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group has ended, or the system has no groups.
    child.kill(signal);
  }
}

function notStarted(file: string, error: unknown): unknown {
  const { code, syscall = '' } = error as NodeJS.ErrnoException;
  if (!syscall.startsWith('spawn')) return error;
  return new AppError(
    'not_found',
    `The program ${inQuotes(file)} cannot be started (${code}): write it as in a shell, with its path if necessary.`,
  );
}
