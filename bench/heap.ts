// How long V8's garbage collection stops a process with many API users in memory: each number of them in a
// separate process, on all cores and on one.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { HeapFigures } from './heap-held.ts';
import { table } from './table.ts';

const API_USERS = [1_000_000, 2_000_000, 4_000_000] as const;

/** Prints a table; there is no target. */
export function run(): Promise<boolean> {
  const rows = API_USERS.flatMap((apiUsers) =>
    [true, false].map((allCores) => {
      const { heapMiB, collections, longestMs, laterMs } = held(apiUsers, allCores);
      return [
        apiUsers.toLocaleString('en'),
        allCores ? 'all' : 'one',
        heapMiB.toFixed(0),
        String(collections),
        longestMs.toFixed(0),
        laterMs.toFixed(0),
      ];
    }),
  );
  const head = [
    'API users in memory',
    'cores',
    'heap MiB',
    'full collections while they are read',
    'the longest ms',
    'longest turn ms, asked thousands of times a second',
  ];
  console.log(`\n${table([head, ...rows])}`);
  return Promise.resolve(true);
}

function held(apiUsers: number, allCores: boolean): HeapFigures {
  const script = fileURLToPath(new URL('./heap-held.ts', import.meta.url));
  const node = [process.execPath, '--max-old-space-size=8192', script, String(apiUsers)];
  const [command = '', ...rest] = allCores ? node : ['taskset', '-c', '0', ...node];
  const { stdout, status } = spawnSync(command, rest, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error(`It ended with ${status}.`);
  return JSON.parse(stdout) as HeapFigures;
}
