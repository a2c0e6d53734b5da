import { createReadStream } from 'node:fs';
import { Option, type Command } from 'commander';
import { API_USER_STATES, apiUserFilter, type ApiUserFilterParameters } from '../domain/api-user-list.ts';
import { Refused } from '../domain/refused.ts';
import { exportApiUsers } from '../manage/export-api-users.ts';
import { importApiUsers, importedLineJson } from '../manage/import-api-users.ts';
import { textLines } from '../text-lines.ts';
import { commandLineActor } from './actor.ts';
import type { Io } from './io.ts';
import { addSettings, STORE_SETTINGS, withStore } from './options.ts';

/** Longer than an API user with every setting at its longest. */
const LINE_BYTES_MAX = 1_048_576;

export function exportCommand(parent: Command, io: Io): void {
  const command = parent
    .command('export')
    .description(
      'Write API users to standard output, a JSON object a line: all of them, or those that the options name.',
    )
    .option(
      '--search <text>',
      'Only those with this text in their name, client id, username or contact, in any letter case.',
    )
    .addOption(new Option('--state <state>', 'Only those in this state.').choices(API_USER_STATES))
    .option('--scope <scope>', 'Only those that may have this scope.')
    .option('--digests', 'With the digests of live credentials: whoever has them can try passwords on them.');
  addSettings(command, STORE_SETTINGS).addHelpText(
    'after',
    '\nSecrets are not stored, so none are written; a secret whose digest is imported elsewhere works there.' +
      '\n\nExample:\n  mintmark api-user export --digests > api-users.ndjson' +
      '\n  mintmark api-user export --state disabled > disabled.ndjson',
  );
  command.action(async (options: ApiUserFilterParameters & { digests?: boolean }) => {
    await withStore(command, io, async (store) => {
      const asked = { digests: options.digests === true, filter: apiUserFilter(options) };
      for await (const record of exportApiUsers(store, commandLineActor(), asked, Date.now())) {
        io.out(JSON.stringify(record));
      }
    });
  });
}

export function importCommand(parent: Command, io: Io): void {
  const command = parent
    .command('import [file]')
    .description('Make an API user of each line of a file, or of standard input, as export writes them.')
    .option(
      '--restore-deleted',
      'Also make API users with client ids of deleted ones, from an export of this store.',
    );
  addSettings(command, STORE_SETTINGS).addHelpText(
    'after',
    '\nPrints what became of each line; a line that is refused keeps no other from being made. Only `name` must be there.' +
      '\nExit code 3 where a line was refused.\n\nExample:\n  mintmark api-user import api-users.ndjson',
  );
  command.action(
    async (file: string | undefined, { restoreDeleted = false }: { restoreDeleted?: boolean }) => {
      const count = { made: 0, refused: 0 };
      await withStore(command, io, async (store) => {
        const lines = textLines(file === undefined || file === '-' ? io.stdin : fileOf(file), LINE_BYTES_MAX);
        for await (const line of importApiUsers(store, commandLineActor(), lines, Date.now, {
          restoreDeleted,
        })) {
          if ('made' in line) count.made += 1;
          else count.refused += 1;
          io.out(JSON.stringify(importedLineJson(line)));
        }
      });
      io.err(`\n${count.made} made, ${count.refused} refused.`);
      if (count.refused > 0)
        throw new Refused('invalid', 'Some lines were refused: see above, line by line.');
    },
  );
}

async function* fileOf(path: string): AsyncGenerator<Buffer> {
  try {
    for await (const piece of createReadStream(path)) yield piece as Buffer;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Refused('not_found', `The file ${path} cannot be read (${code}): check its path and mode.`);
  }
}
