import { spawn, type ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { BINARY } from './binary.ts';
import { temporaryFolder } from './command-line.ts';
import { freePort } from './free-port.ts';

export interface DoomedWorkers extends Disposable {
  /** The primary process. */
  child: ChildProcess;
}

/** Starts a server with two workers that first load a module of this folder, which ends some of them. */
export async function doomedWorkers(module: string): Promise<DoomedWorkers> {
  const dataDir = temporaryFolder();
  const child = spawn(process.execPath, [BINARY, 'serve'], {
    env: {
      PATH: process.env['PATH'] ?? '',
      MINTMARK_DATA_DIR: dataDir,
      MINTMARK_PORT: String(await freePort()),
      MINTMARK_WORKERS: '2',
      NODE_OPTIONS: `--import=${new URL(module, import.meta.url).pathname}`,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return {
    child,
    [Symbol.dispose]() {
      child.kill('SIGKILL'); // if the test failed before its end
      rmSync(dataDir, { recursive: true });
    },
  };
}
