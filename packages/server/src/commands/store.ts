import type { Command } from 'commander';
import type { Config } from '../config/config.ts';
import { parseDatabaseUrl, withPassword, type Database } from '../config/database-url.ts';
import { backUp, restore, type Restored } from '../store-files/backup.ts';
import { copyBetween } from '../store-files/copy.ts';
import type { CopyProgress } from '../storage/copy.ts';
import { commandLineActor } from './actor.ts';
import { AppError } from '../domain/app-error.ts';
import { json, table, type Io } from './io.ts';
import { addSettings, configOf, storeCommand, STORE_SETTINGS, warnOfPassword } from './options.ts';

export function storeCommands(program: Command, io: Io): void {
  const parent = program.command('store').description('Copy a store, back it up, and restore it.');
  parent.addHelpText('after', '\nExample:\n  mintmark store backup /backup/mintmark-monday.db');
  copy(parent, io);
  backup(parent, io);
  restoreCommand(parent, io);
}

function copy(parent: Command, io: Io): void {
  const command = storeCommand(
    parent,
    'copy',
    'Copy a store into an empty database, even while a server runs on it. Both are sqlite:<path> or postgres://….',
  );
  command
    .argument('<from>', 'The store that is read.')
    .argument('<to>', 'The database that becomes its copy.')
    .option('--update', 'Bring an earlier copy up to date: overwrite what differs.')
    .addHelpText(
      'after',
      '\nTo complete an interrupted copy, run the same command again.' +
        '\n\nExample:\n  mintmark store copy sqlite:./data/mintmark.db postgres://mintmark@db.example.com/mintmark',
    );
  command.action(async (from: string, to: string, options: { update?: boolean; json?: boolean }) => {
    const config = configOf(command, io);
    const named = (url: string): Database => namedDatabase(url, config, io);
    const request = { from: named(from), to: named(to), update: options.update === true };
    const { tables, different } = await copyBetween(config, request, progressOn(io));
    if (options.json === true) io.out(json({ tables, different }));
    else {
      const rows = tables.map((each) => [each.table, String(each.rows), String(each.written), each.sha256]);
      io.out(table(['TABLE', 'ROWS', 'WRITTEN', 'SHA-256'], rows));
    }
    if (different.length > 0) {
      throw new AppError(
        'check_failed',
        `The copy differs in ${different.join(', ')}: something else writes to it. Stop that, and copy again.`,
      );
    }
  });
}

/** Throws an AppError for an invalid URL, without quoting it: it may hold a password anywhere. */
function namedDatabase(url: string, config: Config, io: Io): Database {
  const parsed = url === '' ? { allowed: 'the URL of a database' } : parseDatabaseUrl(url);
  if ('allowed' in parsed)
    throw new AppError('bad_setting', `What is copied from or to is not allowed: ${parsed.allowed}`);
  warnOfPassword(url, io);
  return withPassword(parsed.value, config.databasePassword);
}

const PROGRESS_MS = 2000;

/** Prints progress at intervals, so that the operator sees that the copy advances. */
function progressOn(io: Io): CopyProgress {
  let lastAt = performance.now();
  return ({ doing, table: name, rows }) => {
    if (performance.now() - lastAt < PROGRESS_MS) return;
    lastAt = performance.now();
    io.err(`mintmark: ${doing} ${name}: ${rows} rows`);
  };
}

function backup(parent: Command, io: Io): void {
  const command = storeCommand(
    parent,
    'backup',
    'Copy a store that is a SQLite file into another file, even while a server runs on it.',
  );
  command.argument('<file>', 'The file to create.');
  addSettings(command, ['dataDir', 'databaseUrl']).addHelpText(
    'after',
    '\nThe master key is not in it: keep that elsewhere.\n\nExample:\n  mintmark store backup /backup/mintmark-monday.db',
  );
  command.action(async (file: string, options: { json?: boolean }) => {
    const { bytes } = await backUp(configOf(command, io), file);
    if (options.json === true) return io.out(json({ file, bytes }));
    io.out(
      `${file}: ${bytes} bytes, read through and on the disk. The master key is not in it: keep that elsewhere.`,
    );
  });
}

function restoreCommand(parent: Command, io: Io): void {
  const command = storeCommand(
    parent,
    'restore',
    'Put a backup in place of a store that is a SQLite file. Servers on it follow within a second.',
  );
  command.argument('<file>', 'The backup.');
  addSettings(command, STORE_SETTINGS).addHelpText(
    'after',
    '\nThis undoes every change made since the backup: revoked tokens and disabled API users work again. The replaced store\n' +
      'is kept beside the new one.\n\nExample:\n  mintmark store restore /backup/mintmark-monday.db',
  );
  command.action(async (file: string, options: { json?: boolean }) => {
    const restored = await restore(configOf(command, io), commandLineActor(), file, Date.now());
    if (options.json === true) {
      return io.out(json({ before: restored.before, taken_back: restored.takenBack }));
    }
    io.out(restoredText(restored));
  });
}

function restoredText({ before, takenBack }: Restored): string {
  const counts = Object.entries(takenBack ?? {}).map(([action, count]) => `${count} × ${action}`);
  return [
    'Restored.',
    before === null ? '' : `What was there is in ${before}.`,
    counts.length === 0 ? '' : `Taken back: ${counts.join(', ')}. Repeat what must hold.`,
    takenBack === null
      ? 'What is taken back cannot be told: what was there is damaged, or of another version of this program.'
      : '',
    takenBack !== null && !('signing_key.rotate' in takenBack)
      ? ''
      : 'Signing keys are those of the backup: one that was withdrawn since signs again, and tokens of one that was made ' +
        'since are refused.',
    'Tokens that were revoked since the backup are good again until they expire: mintmark signing-key rotate --compromised ' +
      'has all tokens refused that were issued so far.',
  ]
    .filter((line) => line !== '')
    .join('\n');
}
