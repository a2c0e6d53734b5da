import type { Command } from 'commander';
import { listRefusedRequests } from '../admin/refused-request.ts';
import { AppError } from '../domain/app-error.ts';
import { refusedRequestJson } from '../http/admin/refused-request.wire.ts';
import { commandLineChange } from './actor.ts';
import { json, table, time, type Io } from './io.ts';
import { addSettings, atLeastOne, storeCommand, STORE_SETTINGS, withStore } from './options.ts';

const LIMIT_DEFAULT = 100;

interface RefusedOptions {
  traceId?: string;
  limit: number;
  json?: boolean;
}

/** `refused <client-id>`: why calls of an API user were refused. */
export function refusedCommand(parent: Command, io: Io): void {
  const command = storeCommand(
    parent,
    'refused <client-id>',
    'List the last refused requests of an API user, and why they were refused.',
  );
  command
    .option('--trace-id <id>', 'Only the one whose response had this x-request-id.')
    .option('--limit <number>', 'How many at most.', atLeastOne, LIMIT_DEFAULT);
  addSettings(command, STORE_SETTINGS).addHelpText(
    'after',
    '\nThere are at most 100, of the last 24 hours. A server writes them every few seconds.' +
      '\n\nExample:\n  mintmark api-user refused api_… --trace-id 4bf92f3577b34da6a3ce929d0e0e4736',
  );
  command.action(async (owner: string, options: RefusedOptions) => {
    const traceId = traceIdOf(options.traceId);
    const page = { before: null, limit: options.limit };
    const listed = await withStore(command, io, (store) =>
      listRefusedRequests(commandLineChange(store), { owner, traceId }, page),
    );
    if (options.json === true) return io.out(json(listed.map(refusedRequestJson)));
    if (listed.length === 0) return io.err('No refused request was found.');
    const rows = listed.map(({ at, reason, address, credentialId, traceId: id, detail }) => [
      time(at),
      reason,
      address,
      credentialId ?? '-',
      id,
      detail ?? '-',
    ]);
    io.out(table(['TIME', 'REASON', 'ADDRESS', 'CREDENTIAL', 'TRACE ID', 'DETAIL'], rows));
  });
}

function traceIdOf(text: string | undefined): string | null {
  if (text === undefined) return null;
  if (/^[0-9a-f]{32}$/i.test(text)) return text.toLowerCase();
  throw new AppError(
    'invalid',
    'A trace id has 32 hexadecimal digits: copy the x-request-id of the response.',
  );
}
