import { resolve } from 'node:path';
import { describeDatabase, type Database } from '../config/database-url.ts';
import { AppError } from '../domain/app-error.ts';
import { copyStore, isEmpty, unfinishedCopy, type CopiedTable, type CopyProgress } from '../storage/copy.ts';
import { migrate, refuseNewer } from '../storage/migrate.ts';
import type { Connections } from '../storage/connections.ts';
import { createStore } from '../storage/store.ts';
import { connect, connectMigrated, type OpenConfig } from './open.ts';

export interface Copy {
  from: Database;
  to: Database;
  /** True: update an earlier copy of the same store. */
  update: boolean;
}

export interface CopyResult {
  tables: CopiedTable[];
  /** Tables that differ in the end: another program writes to the copy. */
  different: string[];
}

/**
 * Copies one store to another as of one moment, also while servers run on the source. Throws an AppError if
 * it would overwrite other data. The same call completes a copy that was cut off.
 */
export async function copyBetween(
  config: OpenConfig,
  { from, to, update }: Copy,
  progress: CopyProgress,
): Promise<CopyResult> {
  const source = nameOf(from);
  if (source === nameOf(to)) throw new AppError('invalid', `Both are ${source}: name two stores.`);
  const reading = await connectMigrated({ ...config, databaseUrl: from });
  try {
    const writing = await connect({ ...config, databaseUrl: to }, { create: true, watch: false });
    try {
      await refuseNewer(writing);
      // Check before the migration: a refused target stays as it is.
      await refuseOverwriting(reading, writing, { source, target: nameOf(to), update });
      await migrate(writing);
      return await copyStore(reading, writing, source, progress);
    } finally {
      await writing.close();
    }
  } finally {
    await reading.close();
  }
}

async function refuseOverwriting(
  from: Connections,
  to: Connections,
  { source, target, update }: { source: string; target: string; update: boolean },
): Promise<void> {
  if (await isEmpty(to)) return;
  const unfinished = await unfinishedCopy(to);
  if (unfinished === source) return;
  if (unfinished !== null) {
    throw new AppError(
      'conflict',
      `${target} is an unfinished copy of ${unfinished}: complete that, or name another.`,
    );
  }
  if (!update) {
    throw new AppError(
      'conflict',
      `${target} is not empty: name an empty database, or bring an earlier copy up to date with --update.`,
    );
  }
  if ((await masterKeyCheck(from)) !== (await masterKeyCheck(to))) {
    throw new AppError(
      'conflict',
      `${target} is no copy of ${source}: it is under another master key. Nothing was changed.`,
    );
  }
  const own = await ownEntry(from, to);
  if (own !== null) {
    throw new AppError(
      'conflict',
      `${target} has changes of its own since it was copied (entry ${own} of its audit log is not in ${source}), which ` +
        'would be lost. Nothing was changed: name an empty database.',
    );
  }
}

/**
 * The number of the last audit entry of a copy, if its source lacks that entry or has another in its place.
 * Null: the source has the entry, or had it.
 */
async function ownEntry(from: Connections, to: Connections): Promise<number | null> {
  const [source, copied] = [createStore(from).audit, createStore(to).audit];
  const { last } = await copied.head();
  const [[there], [here]] = [await copied.after(last.n - 1, 1), await source.after(last.n - 1, 1)];
  if (there === undefined || (await source.head()).removed.n >= there.n) return null;
  return here?.n === there.n && here.hash === there.hash ? null : there.n;
}

async function masterKeyCheck({ read }: Connections): Promise<string | undefined> {
  const row = read.selectFrom('meta').select('value').where('key', '=', 'master_key_check');
  return (await row.executeTakeFirst())?.value;
}

/** Without a password. A file has the same name from every working directory. */
function nameOf(database: Database): string {
  return database.kind === 'sqlite' ? resolve(database.path) : describeDatabase(database);
}
