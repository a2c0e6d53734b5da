import { Option, type Command } from 'commander';
import { createSecretLink, listSecretLinks, removeSecretLink } from '../admin/secret-link.ts';
import { AppError } from '../domain/app-error.ts';
import { keyIdOf, secretProblem } from '../domain/secret.ts';
import { LINK_SECONDS_DEFAULT, type SecretReset } from '../domain/secret-link.ts';
import { createdSecretLinkJson, secretLinkJson } from '../http/admin/secret-link.wire.ts';
import { commandLineActor, commandLineChange } from './actor.ts';
import { json, readLine, table, time, type Io } from './io.ts';
import {
  addSettings,
  duration,
  durationOption,
  issuerFor,
  storeCommand,
  STORE_SETTINGS,
  URL_HELP,
  URL_SETTINGS,
  withStore,
} from './options.ts';

export function secretCommand(program: Command, io: Io): void {
  const parent = program
    .command('secret')
    .description('Check secrets offline, and hand new ones over by a link.');
  parent.addHelpText('after', '\nExample:\n  mintmark secret check < secret.txt');
  check(parent, io);
  link(parent, io);
  links(parent, io);
  removeLink(parent, io);
}

function check(parent: Command, io: Io): void {
  const command = parent
    .command('check')
    .description(
      'Is this a Mintmark secret, whole and without a typo, and which key id has it? Reads standard input.',
    )
    .option('--json', 'Print JSON.')
    .allowExcessArguments()
    .addHelpText(
      'after',
      '\nNothing is looked up and nothing is sent.\n\nExample:\n  mintmark secret check < secret.txt',
    );
  command.action(async (options: { json?: boolean }) => {
    if (command.args.length > 0) {
      command.error('error: the secret is read from standard input: arguments are seen by other users.');
    }
    const secret = (await readLine(io, 'Paste the secret and press Enter:')).trim();
    const problem = secretProblem(secret);
    const keyId = keyIdOf(secret);
    if (options.json === true) io.out(json({ valid: problem === null, key_id: keyId, problem }));
    else if (problem === null) io.out(`A well-formed Mintmark secret with key id ${keyId}.`);
    if (problem !== null) throw new AppError('check_failed', `This is not a Mintmark secret: ${problem}.`);
  });
}

interface LinkOptions {
  name: string;
  expires: number;
  expiresIn?: number;
  overlap?: number;
  whenQuiet?: boolean;
  endPassword?: boolean;
  passphraseStdin?: boolean;
  json?: boolean;
}

function link(parent: Command, io: Io): void {
  const command = storeCommand(
    parent,
    'link <client-id>',
    'Print a link that makes a new secret when it is opened, once, so that only its recipient sees the secret.',
  );
  command
    .option('--name <name>', 'Says where the secret will be deployed.', 'by a link')
    .addOption(
      durationOption('--expires <duration>', 'How long the link can be opened.', LINK_SECONDS_DEFAULT * 1000),
    )
    .option(
      '--expires-in <duration>',
      'The secret expires this long after now: 90d, 24h. Default: never.',
      duration,
    )
    .option('--overlap <duration>', 'A reset: the old credentials end this long after the opening.', duration)
    .addOption(
      new Option(
        '--when-quiet',
        'A reset: each old one ends once nothing used it for 25 hours and a newer one was used.',
      ).conflicts('overlap'),
    )
    .option('--end-password', 'With a reset: a live password ends as the secrets do, too.')
    .option('--passphrase-stdin', 'The link also needs a passphrase, read from standard input.');
  addSettings(command, [...STORE_SETTINGS, ...URL_SETTINGS]).addHelpText(
    'after',
    URL_HELP + '\nExample:\n  mintmark secret link api_… --expires 24h --overlap 2d',
  );
  command.action(async (owner: string, options: LinkOptions) => {
    const reset = resetOf(options);
    const passphrase = options.passphraseStdin === true ? await readLine(io, 'Passphrase:') : null;
    await withStore(command, io, async (store, config) => {
      const nowMs = Date.now();
      const created = await createSecretLink(commandLineChange(store, nowMs), {
        owner,
        name: options.name,
        expiresAt: options.expiresIn === undefined ? null : nowMs + options.expiresIn,
        reset,
        lifeSeconds: options.expires / 1000,
        passphrase,
      });
      const shown = createdSecretLinkJson(created, await issuerFor(command, io, store, config));
      if (options.json === true) return io.out(json(shown));
      io.out(shown.url);
      io.err(`\nThe link ${shown.link.id} works once, until ${shown.link.expires_at}.`);
    });
  });
}

/** Null: the live credentials stay as they are. */
function resetOf({ overlap, whenQuiet, endPassword = false }: LinkOptions): SecretReset | null {
  if (whenQuiet === true) return { overlapMs: null, endPassword };
  if (overlap === 0) {
    throw new AppError(
      'invalid',
      'A link ends no credential at once: give a longer --overlap, or use credential reset --overlap 0.',
    );
  }
  if (overlap !== undefined) return { overlapMs: overlap, endPassword };
  if (endPassword) throw new AppError('invalid', '--end-password needs --overlap or --when-quiet.');
  return null;
}

function links(parent: Command, io: Io): void {
  const command = storeCommand(parent, 'links <client-id>', 'List the links that can still be opened.');
  addSettings(command, STORE_SETTINGS).addHelpText('after', '\nExample:\n  mintmark secret links api_…');
  command.action(async (owner: string, options: { json?: boolean }) => {
    const waiting = await withStore(command, io, (store) =>
      listSecretLinks(store, commandLineActor(), owner, Date.now()),
    );
    if (options.json === true) return io.out(json(waiting.map(secretLinkJson)));
    if (waiting.length === 0) return io.err('No link waits to be opened.');
    const rows = waiting.map((each) => [
      each.id,
      each.request.name,
      each.passphraseHash === null ? '-' : 'yes',
      each.createdBy.name,
      time(each.expiresAt),
    ]);
    io.out(table(['LINK', 'NAME', 'PASSPHRASE', 'BY', 'EXPIRES'], rows));
  });
}

function removeLink(parent: Command, io: Io): void {
  const command = storeCommand(
    parent,
    'remove-link <client-id> <id>',
    'Remove a link, which then opens nothing.',
  );
  addSettings(command, STORE_SETTINGS).addHelpText(
    'after',
    '\nExample:\n  mintmark secret remove-link api_… 4Kq0Zt7RbX',
  );
  command.action(async (owner: string, id: string, options: { json?: boolean }) => {
    await withStore(command, io, (store) => removeSecretLink(commandLineChange(store), owner, id));
    io.out(options.json === true ? json({ id }) : `removed  ${id}`);
  });
}
