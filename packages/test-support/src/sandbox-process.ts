import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { BINARY } from './binary.ts';

/** What `mintmark sandbox --json` prints. */
export interface SandboxProcess extends AsyncDisposable {
  child: ChildProcess;
  base_url: string;
  token_url: string;
  control_url: string;
  token_life_seconds: number;
  client_id: string;
  client_secret: string;
  scopes: string[];
}

/** Runs `mintmark sandbox` on free ports until it is ready. `program`: that of another installation. */
export async function startSandboxProcess(
  args: readonly string[] = [],
  env: Record<string, string> = {},
  program: string = BINARY,
): Promise<SandboxProcess> {
  const ports = ['--port', '0', '--control-port', '0', '--json'];
  const child = spawn(process.execPath, [program, 'sandbox', ...ports, ...args], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  const exit = once(child, 'exit').then(([code]) => {
    throw new Error(`mintmark sandbox ended with exit code ${String(code)}.`);
  });
  const [line] = (await Promise.race([once(lines, 'line'), exit])) as [string];
  exit.catch(() => undefined);
  const printed = JSON.parse(line) as Omit<SandboxProcess, 'child'>;
  return {
    ...printed,
    child,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null) return;
      child.kill('SIGINT');
      await once(child, 'exit');
    },
  };
}
