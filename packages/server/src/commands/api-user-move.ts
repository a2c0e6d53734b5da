import type { Command } from 'commander';
import { moveApiUsers } from '../admin/api-user-move.ts';
import { apiUserFilter } from '../domain/api-user-list.ts';
import { AppError } from '../domain/app-error.ts';
import { commandLineActor, commandLineChange } from './actor.ts';
import { ORGANISATION_HELP } from './api-user-bulk.ts';
import { json, type Io } from './io.ts';
import { addSettings, storeCommand, STORE_SETTINGS, withStore } from './options.ts';

interface MoveOptions {
  to?: string;
  toPlatform?: boolean;
  search?: string;
  organisation?: string;
  keepCredentials?: boolean;
  force?: boolean;
  json?: boolean;
}

export function moveCommand(parent: Command, io: Io): void {
  const command = storeCommand(
    parent,
    'move [client-id...]',
    'Move API users to an organisation or to the platform: all of them, or none.',
  );
  command
    .option('--to <organisation>', 'The organisation that gets them.')
    .option('--to-platform', 'The platform gets them.')
    .option('--search <text>', 'In place of client ids: those with this text, as in api-user list.')
    .option('--organisation <id>', ORGANISATION_HELP)
    .option('--keep-credentials', 'The same people have them afterwards: credentials and tokens stay valid.')
    .option('--force', 'Although a caller may still use one of the credentials.');
  addSettings(command, STORE_SETTINGS).addHelpText(
    'after',
    '\nWithout --keep-credentials, the credentials are retired and the tokens revoked: the people before know the secrets.' +
      '\nRefused with all faults if the policy of the organisation forbids something.' +
      '\n\nExample:\n  mintmark api-user move api_… api_… --to org_…',
  );
  command.action(async (names: string[], options: MoveOptions) => {
    const { to, toPlatform = false } = options;
    if ((to === undefined) !== toPlatform)
      throw new AppError('invalid', 'Give either --to with an organisation, or --to-platform.');
    const result = await withStore(command, io, (store) =>
      moveApiUsers(commandLineChange(store), {
        apiUsers: selected(names, options),
        organisationId: to ?? null,
        keepCredentials: options.keepCredentials === true,
        force: options.force === true,
      }),
    );
    if (options.json === true) return io.out(json(result));
    for (const clientId of result.moved) io.out(`moved      ${clientId}`);
    for (const clientId of result.unchanged) io.out(`unchanged  ${clientId}`);
  });
}

function selected(names: string[], { search, organisation }: MoveOptions) {
  const isFilter = search !== undefined || organisation !== undefined;
  if (isFilter === names.length > 0)
    throw new AppError('invalid', 'Give either client ids, or --search and --organisation.');
  if (!isFilter) return names;
  const filter = {
    ...(search !== undefined && { search }),
    ...(organisation !== undefined && { organisation_id: organisation }),
  };
  return apiUserFilter(filter, commandLineActor());
}
