import type { Command } from 'commander';
import {
  exportOrganisations,
  importedOrganisationJson,
  importOrganisations,
} from '../admin/organisation-import.ts';
import { AppError } from '../domain/app-error.ts';
import { textLines } from '../lib/text-lines.ts';
import { fileOf, LINE_BYTES_MAX } from './api-user-bulk.ts';
import { commandLineChange } from './actor.ts';
import type { Io } from './io.ts';
import { addSettings, STORE_SETTINGS, withStore } from './options.ts';

export function exportCommand(parent: Command, io: Io): void {
  const command = parent
    .command('export')
    .description('Write all organisations to standard output, one JSON object per line.');
  addSettings(command, STORE_SETTINGS).addHelpText(
    'after',
    '\nIts API users: mintmark api-user export. Members are not exported.' +
      '\n\nExample:\n  mintmark organisation export > organisations.ndjson',
  );
  command.action(async () => {
    await withStore(command, io, async (store) => {
      for await (const record of exportOrganisations(store)) io.out(JSON.stringify(record));
    });
  });
}

export function importCommand(parent: Command, io: Io): void {
  const command = parent
    .command('import [file]')
    .description(
      'Create an organisation for each line of a file, or of standard input, in the format of export.',
    )
    .option('--dry-run', 'Print what each line would do, and change nothing.');
  addSettings(command, STORE_SETTINGS).addHelpText(
    'after',
    '\nPrints the outcome of each line; a refused line does not stop the others. Exit code 3 if a line was refused.' +
      '\nA line makes its organisation once, by its `id` or `external_id`: it needs one of them.' +
      '\n\nExample:\n  mintmark organisation import organisations.ndjson',
  );
  command.action(async (file: string | undefined, options: { dryRun?: boolean }) => {
    let refused = 0;
    await withStore(command, io, async (store) => {
      const pieces = file === undefined || file === '-' ? io.stdin : fileOf(file);
      const lines = textLines(pieces, LINE_BYTES_MAX);
      const changeNow = () => commandLineChange(store);
      for await (const line of importOrganisations(changeNow, lines, options.dryRun === true)) {
        if ('refused' in line) refused += 1;
        io.out(JSON.stringify(importedOrganisationJson(line)));
      }
    });
    if (refused > 0) throw new AppError('invalid', 'Some lines were refused: see above, line by line.');
  });
}
