import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from './eventually.ts';
import type { TestServer } from './server.ts';
import { onPostgres, sqlOn } from './store-under-test.ts';

/** After SIGSTOP a thread still completes its system call, such as a write to disk. */
const STANDS_STILL_MS = 50;

/**
 * Sends SIGSTOP while the server has no open transaction: otherwise other writers would wait for its end and
 * fail with "is locked by another process".
 */
export async function stopBetweenWrites({ process, dataDir }: TestServer): Promise<void> {
  await eventually(
    async () => {
      process.kill('SIGSTOP');
      await sleep(STANDS_STILL_MS);
      if (nothingIsOpen(join(dataDir, 'mintmark.db'))) return true;
      process.kill('SIGCONT');
      return false;
    },
    10_000,
    'the server is stopped between two of its writes',
  );
}

function nothingIsOpen(path: string): boolean {
  if (onPostgres) {
    const others = 'datname = current_database() and pid <> pg_backend_pid()';
    return (
      sqlOn(path, `select pid from pg_stat_activity where ${others} and xact_start is not null`).length === 0
    );
  }
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('begin immediate; rollback');
    return true;
  } catch (error) {
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return false;
    throw error;
  } finally {
    database.close();
  }
}

const SQLITE_BUSY = 5;
