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
  /** An earlier copy of the same store is brought up to date. */
  update: boolean;
}

export interface CopyResult {
  tables: CopiedTable[];
  /** Tables that are not the same in the end: somebody else writes to the copy. */
  different: string[];
}

/**
 * Makes one store what another is at one moment, also while servers run on that one. Throws an AppError where something
 * would be overwritten. A copy that was cut off is gone on with by the same call.
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
      // Before it is migrated: what is refused stays as it is.
      await refuseOverwriting(reading, writing, source, nameOf(to), update);
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
  source: string,
  target: string,
  update: boolean,
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

/** The last entry of the audit log of a copy where its source has it not, or another in its place; null: it has it, or had it. */
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

/** Without a password, and the same from whatever folder it is named. */
function nameOf(database: Database): string {
  return database.kind === 'sqlite' ? resolve(database.path) : describeDatabase(database);
}
