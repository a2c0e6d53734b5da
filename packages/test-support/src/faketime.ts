import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Settings } from './nodes.ts';

/** False if faketime is installed; else the reason to skip. CI requires it. */
export function faketimeMissing(): string | false {
  if (faketimeLibrary() !== null) return false;
  const how = 'faketime is missing: apt-get install faketime';
  if (process.env['CI'] === 'true') throw new Error(how);
  console.warn(`\n*** These tests are skipped. ${how} ***\n`);
  return how;
}

/** A clock that tests set, for processes started with its variables. Timers keep the real time. */
export interface FakeClock extends Disposable {
  variables: Settings;
  /** Seconds ahead of the real time from now on. */
  set(aheadSeconds: number): void;
}

export function fakeClock(aheadSeconds: number): FakeClock {
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-clock-'));
  chmodSync(folder, 0o755); // PostgreSQL runs as another user
  const file = join(folder, 'time');
  const set = (seconds: number) => writeFileSync(file, `${seconds < 0 ? '' : '+'}${seconds}s\n`);
  set(aheadSeconds);
  return {
    variables: {
      LD_PRELOAD: faketimeLibrary() ?? '',
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_CACHE_DURATION: '1', // seconds until a change of the file is seen
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
    set,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** The library that a process must load first; null if faketime is missing. */
export function faketimeLibrary(): string | null {
  const { stdout, status } = spawnSync('faketime', ['-f', '+0s', 'printenv', 'LD_PRELOAD'], {
    encoding: 'utf8',
  });
  return status === 0 ? stdout.trim() : null;
}
