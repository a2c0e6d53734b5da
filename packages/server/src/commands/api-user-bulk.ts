import { createReadStream } from 'node:fs';
import { Option, type Command } from 'commander';
import { API_USER_STATES, apiUserFilter, type ApiUserFilterParameters } from '../domain/api-user-list.ts';
import { AppError } from '../domain/app-error.ts';
import { exportApiUsers } from '../admin/api-user-export.ts';
import { importApiUsers, importedLineJson, type ImportOptions } from '../admin/api-user-import.ts';
import { importLines } from '../admin/api-user-import-lines.ts';
import { commandLineActor, commandLineChange } from './actor.ts';
import type { Io } from './io.ts';
import { addSettings, STORE_SETTINGS, withStore } from './options.ts';

/** An API user with every setting at its maximum is shorter. */
export const LINE_BYTES_MAX = 1_048_576;

type ExportOptions = ApiUserFilterParameters & { organisation?: string; digests?: boolean };

export const ORGANISATION_HELP = 'Only those of this organisation; none: those of the platform.';

export function organisationFilter({
  organisation,
}: {
  organisation?: string;
}): Pick<ApiUserFilterParameters, 'organisation_id'> {
  return organisation === undefined ? {} : { organisation_id: organisation };
}

export function exportCommand(parent: Command, io: Io): void {
  const command = parent
    .command('export')
    .description(
      'Write API users to standard output, one JSON object per line: all, or those that the options select.',
    )
    .option(
      '--search <text>',
      'Only those with this text in their name, client id, username or contact, in any letter case.',
    )
    .addOption(new Option('--state <state>', 'Only those in this state.').choices(API_USER_STATES))
    .option('--scope <scope>', 'Only those that may have this scope.')
    .option('--organisation <id>', ORGANISATION_HELP)
    .option(
      '--digests',
      'With the digests of live credentials. A reader of the file can guess passwords against them.',
    );
  addSettings(command, STORE_SETTINGS).addHelpText(
    'after',
    '\nSecrets are not stored, so none are written; a secret whose digest is imported elsewhere works there.' +
      '\n\nExample:\n  mintmark api-user export --digests > api-users.ndjson' +
      '\n  mintmark api-user export --state disabled > disabled.ndjson',
  );
  command.action(async (options: ExportOptions) => {
    await withStore(command, io, async (store) => {
      const filter = apiUserFilter({ ...options, ...organisationFilter(options) }, commandLineActor());
      const request = { digests: options.digests === true, filter };
      for await (const record of exportApiUsers(commandLineChange(store), request)) {
        io.out(JSON.stringify(record));
      }
    });
  });
}

export function importCommand(parent: Command, io: Io): void {
  const command = parent
    .command('import [file]')
    .description('Create an API user for each line of a file, or of standard input, in the format of export.')
    .option('--dry-run', 'Print what each line would do, and change nothing.')
    .option(
      '--restore-deleted',
      'Also make API users with client ids of deleted ones, from an export of this store.',
    );
  addSettings(command, STORE_SETTINGS).addHelpText(
    'after',
    '\nThe file holds one JSON object per line, a JSON array, or CSV whose first line names the members. Only `name` is required.' +
      '\nPrints the outcome of each line; a refused line does not stop the others. Exit code 3 if a line was refused.' +
      '\nA line makes its API user once: by its `external_id`, or, without external_id and client_id, if it says the same as before.' +
      '\n\nExample:\n  mintmark api-user import --dry-run api-users.ndjson',
  );
  command.action(async (file: string | undefined, options: ImportOptions) => {
    const count = { created: 0, refused: 0, exists: 0 };
    await withStore(command, io, async (store) => {
      const pieces = file === undefined || file === '-' ? io.stdin : fileOf(file);
      const lines = importLines(pieces, LINE_BYTES_MAX);
      for await (const line of importApiUsers(commandLineChange(store), lines, Date.now, options)) {
        if ('refused' in line) count.refused += 1;
        else if ('there' in line) count.exists += 1;
        else count.created += 1;
        io.out(JSON.stringify(importedLineJson(line)));
      }
    });
    const outcome = options.dryRun === true ? 'would be made' : 'made';
    io.err(`\n${count.created} ${outcome}, ${count.refused} refused, ${count.exists} there already.`);
    if (count.refused > 0) throw new AppError('invalid', 'Some lines were refused: see above, line by line.');
  });
}

export async function* fileOf(path: string): AsyncGenerator<Buffer> {
  try {
    for await (const piece of createReadStream(path)) yield piece as Buffer;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new AppError('not_found', `The file ${path} cannot be read (${code}): check its path and mode.`);
  }
}
