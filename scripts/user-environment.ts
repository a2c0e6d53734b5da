// Helpers for tests that act as a user of a fresh clone.
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { delimiter } from 'node:path';

/** The user's environment, without the variables of the npm that runs these tests. */
export function userEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|NODE|INIT_CWD$|MINTMARK_|DATABASE_URL$)/i.test(name),
  );
  const path = (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => !/node_modules|node-gyp-bin/.test(folder))
    .join(delimiter);
  return { ...Object.fromEntries(kept), PATH: path };
}

export function registryAnswers(env: NodeJS.ProcessEnv): boolean {
  const ping = ['ping', '--fetch-retries=0', '--fetch-timeout=15000'];
  return spawnSync('npm', ping, { env, cwd: tmpdir(), stdio: 'ignore', timeout: 30_000 }).status === 0;
}
