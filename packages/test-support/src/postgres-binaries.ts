import { existsSync, globSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const VERSION_MIN = 15;

/** Folder of PostgreSQL's programs: Debian's or Homebrew's newest, or the path's; null without any. */
export function binaryFolder(): string | null {
  const versioned = globSync(['/usr/lib/postgresql/*/bin', '/opt/homebrew/opt/postgresql@*/bin']).sort();
  const onPath = (process.env['PATH'] ?? '').split(delimiter);
  const found = [...versioned.toReversed(), ...onPath].find(
    (folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'pg_basebackup')),
  );
  return found ?? null;
}

export function postgresProgram(name: string): string {
  return join(binaryFolder() ?? '', name);
}

/** False if PostgreSQL is installed; else the reason to skip. CI requires it. */
export function postgresMissing(): string | false {
  if (binaryFolder() !== null) return false;
  const how = `PostgreSQL ${VERSION_MIN} or later is missing: apt-get install postgresql (macOS: brew install postgresql@17)`;
  if (process.env['CI'] === 'true') throw new Error(how);
  console.warn(`\n*** These tests are skipped. ${how} ***\n`);
  return how;
}
