import { Option, type Command } from 'commander';
import { createKeySourceCheck } from '../runtime/trusted-keys/check.ts';
import { searchKey } from '../domain/api-user-list.ts';
import { credentialState, type Credential } from '../domain/credential.ts';
import { existingApiUser } from '../admin/api-user.ts';
import { createPassword, createSecret, retireCredential, type CreatedSecret } from '../admin/credential.ts';
import { createKey, type CreatedKey, type KeyInput } from '../admin/key.ts';
import { resetCredentials } from '../admin/reset-credentials.ts';
import { credentialJson } from '../http/admin/credential.wire.ts';
import { commandLineActor, commandLineChange } from './actor.ts';
import { curlLine } from './curl-line.ts';
import { readTextFile } from './text-file.ts';
import { REVOKED, REVOKE_TOKENS } from './revoke-tokens.ts';
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

export function credentialCommand(program: Command, io: Io): void {
  const parent = program
    .command('credential')
    .description('Create, list, reset and retire credentials of API users.');
  parent.addHelpText('after', '\nExample:\n  mintmark credential reset api_… --overlap 24h');
  create(parent, io);
  list(parent, io);
  reset(parent, io);
  retireCommand(parent, io, {
    description: 'Make a credential useless at once.',
    example: 'mintmark credential retire 4Kq0Zt7RbX',
  });
}

interface CreateOptions {
  name?: string;
  expiresIn?: number;
  passwordStdin?: boolean;
  publicKey?: string;
  jwksUrl?: string;
  json?: boolean;
}

const CREATE_EXAMPLES = `
Examples:
  mintmark credential create api_… --name "importer, production" --expires-in 90d
  mintmark credential create api_… --public-key importer.pub.pem`;

function create(parent: Command, io: Io): void {
  const command = storeCommand(
    parent,
    'create <client-id>',
    'Create a secret, which is shown only once, or register a public key.',
  );
  command
    .option('--name <name>', 'Says where it is deployed. Default: secret, or key.')
    .option('--expires-in <duration>', 'It expires after this time: 90d, 24h. Default: never.', duration)
    .option(
      '--password-stdin',
      'Instead of a secret, a password chosen by a person, read from standard input.',
    )
    .addOption(
      new Option(
        '--public-key <file>',
        'Instead of a secret, a public key (PEM, JWK or JWKS): mintmark key generate makes one.',
      ).conflicts(['passwordStdin', 'jwksUrl']),
    )
    .addOption(
      new Option(
        '--jwks-url <url>',
        'Instead of a secret, the URL of the key set of the API user.',
      ).conflicts('passwordStdin'),
    );
  addSettings(command, [...STORE_SETTINGS, ...URL_SETTINGS]).addHelpText('after', URL_HELP + CREATE_EXAMPLES);
  command.action(async (owner: string, options: CreateOptions) => {
    const password = options.passwordStdin === true ? await readLine(io, 'Password:') : null;
    const key = keyInput(options);
    await withStore(command, io, async (store, config) => {
      const nowMs = Date.now();
      const change = commandLineChange(store, nowMs);
      const expiresAt = options.expiresIn === undefined ? null : nowMs + options.expiresIn;
      const input = { owner, name: options.name ?? (key === null ? 'secret' : 'key'), expiresAt };
      if (key !== null) {
        const created = await createKey(change, input, key, createKeySourceCheck(store, config));
        return printKey(io, created, options.json);
      }
      if (password !== null) {
        return printPassword(io, await createPassword(change, input, password), options.json);
      }
      const created = await createSecret(change, input);
      printSecret(io, created, await issuerFor(command, io, store, config), options.json);
    });
  });
}

/** The key that the options name; null if they name none. */
function keyInput({ publicKey, jwksUrl }: CreateOptions): KeyInput | null {
  if (publicKey !== undefined) return { publicKey: readTextFile(publicKey) };
  return jwksUrl === undefined ? null : { jwksUrl };
}

function list(parent: Command, io: Io): void {
  const command = storeCommand(
    parent,
    'list <client-id>',
    'List the credentials of an API user and their last use.',
  );
  command.option('--search <text>', 'Only those with this text in their name or id, in any letter case.');
  addSettings(command, STORE_SETTINGS).addHelpText('after', '\nExample:\n  mintmark credential list api_…');
  command.action(async (owner: string, options: { search?: string; json?: boolean }) => {
    const nowMs = Date.now();
    const key = searchKey(options.search?.trim() ?? '');
    const all = await withStore(command, io, async (store) =>
      store.credentials.listOf((await existingApiUser(store, owner, commandLineActor())).clientId),
    );
    const credentials = all.filter(({ name, id }) => searchKey(`${name}\n${id}`).includes(key));
    if (options.json === true)
      return io.out(json(credentials.map((credential) => credentialJson(credential, all, nowMs))));
    if (all.length === 0) return io.err(`It has none: mintmark credential create ${owner}`);
    if (credentials.length === 0) return io.err(`No credential matches ${JSON.stringify(options.search)}.`);
    const rows = credentials.map((credential) => [
      credential.id,
      credential.kind,
      credentialState(credential, nowMs),
      credential.name,
      credential.retireWhenQuietFrom === null ? time(credential.expiresAt) : 'when quiet',
      time(credential.lastUsedAt),
      credential.lastUsedAddress ?? '-',
      String(credential.useCount),
    ]);
    io.out(table(['CREDENTIAL', 'KIND', 'STATE', 'NAME', 'EXPIRES', 'LAST USED', 'FROM', 'USES'], rows));
  });
}

interface ResetOptions {
  name: string;
  overlap: number;
  whenQuiet?: boolean;
  passwordStdin?: boolean;
  endPassword?: boolean;
  expiresIn?: number;
  force?: boolean;
  revokeTokens?: boolean;
  json?: boolean;
}

/** One day, in milliseconds. */
const OVERLAP_MS = 86_400_000;

/** Revoking tokens is not enough: a caller with a live secret can get new ones. */
const OLD_SECRETS_GO_ON =
  'Whoever knows a secret that still works gets new tokens with it: --overlap 0 --force ends the old ones at once.';

function reset(parent: Command, io: Io): void {
  const command = storeCommand(
    parent,
    'reset <client-id>',
    'Create a new secret or password for a lost or forgotten one, and end the live credentials.',
  );
  command
    .option('--name <name>', 'Says where the new one is deployed.', 'reset')
    .option(
      '--password-stdin',
      'Instead of a secret, a password, read from standard input. Ends a live password at once.',
    )
    .addOption(
      durationOption('--overlap <duration>', 'How long the old ones still work; 0: not at all.', OVERLAP_MS),
    )
    .addOption(
      new Option(
        '--when-quiet',
        'Instead of the overlap: end each old one once nothing used it for 25 hours and a newer one was used.',
      ).conflicts('overlap'),
    )
    .option('--end-password', 'A live password ends as the secrets do, too.')
    .option('--expires-in <duration>', 'After this time the new one is refused. Left out: never.', duration)
    .option('--force', 'With --overlap 0: although a caller may still use an old one.')
    .option('--revoke-tokens', REVOKE_TOKENS);
  addSettings(command, [...STORE_SETTINGS, ...URL_SETTINGS]).addHelpText(
    'after',
    URL_HELP +
      '\nExamples:\n  mintmark credential reset api_… --overlap 2h' +
      '\n  mintmark credential reset api_… --password-stdin --when-quiet',
  );
  command.action(async (owner: string, options: ResetOptions) => {
    const password = options.passwordStdin === true ? await readLine(io, 'Password:') : undefined;
    await withStore(command, io, async (store, config) => {
      const nowMs = Date.now();
      const { credential, secret, ending } = await resetCredentials(commandLineChange(store, nowMs), {
        owner,
        name: options.name,
        expiresAt: options.expiresIn === undefined ? null : nowMs + options.expiresIn,
        password,
        endPassword: options.endPassword === true,
        overlapMs: options.whenQuiet === true ? null : options.overlap,
        force: options.force === true,
        revoke: options.revokeTokens === true,
      });
      if (secret === null) printPassword(io, credential, options.json);
      else printSecret(io, { credential, secret }, await issuerFor(command, io, store, config), options.json);
      for (const old of ending) io.err(`The ${old.kind} ${old.id} (${old.name}) ${endText(old)}.`);
      if (options.revokeTokens !== true) return;
      io.err(REVOKED);
      if (ending.some((old) => old.retiredAt === null)) io.err(OLD_SECRETS_GO_ON);
    });
  });
}

/** `retire <credential-id>`, for credentials of every kind. */
export function retireCommand(
  parent: Command,
  io: Io,
  { description, example }: { description: string; example: string },
): void {
  const command = storeCommand(parent, 'retire <credential-id>', description);
  command.option('--force', 'Although a caller may still use it.').option('--revoke-tokens', REVOKE_TOKENS);
  addSettings(command, STORE_SETTINGS).addHelpText(
    'after',
    '\nRefused (exit code 4) where it was used in the last hour, or its successor was never used.' +
      `\n\nExample:\n  ${example}`,
  );
  command.action(async (id: string, options: { force?: boolean; revokeTokens?: boolean; json?: boolean }) => {
    const nowMs = Date.now();
    const retirement = { force: options.force === true, revoke: options.revokeTokens === true };
    const credential = await withStore(command, io, (store) =>
      retireCredential(commandLineChange(store, nowMs), id, retirement),
    );
    io.out(options.json === true ? json(credentialJson(credential, [], nowMs)) : `retired  ${credential.id}`);
    if (retirement.revoke) io.err(`\n${REVOKED}`);
  });
}

function endText({ retiredAt, retireWhenQuietFrom, expiresAt }: Credential): string {
  if (retiredAt !== null) return 'works no longer';
  const until = expiresAt === null ? '' : `, at the latest until ${time(expiresAt)}`;
  return retireWhenQuietFrom === null
    ? `works until ${time(expiresAt)}`
    : `works until it was unused for 25 hours while a newer one was used${until}`;
}

function printKey(io: Io, { credential, notice }: CreatedKey, asJson: boolean | undefined): void {
  if (asJson === true) {
    io.out(json({ ...credentialJson(credential, [], credential.createdAt), notice }));
    return;
  }
  io.out(`credential     ${credential.id}`);
  io.out(`client_id      ${credential.clientId}`);
  if ('jwk' in (credential.facts ?? {})) io.out(`thumbprint     ${credential.digest}`);
  if (notice !== null) io.err(`\n${notice}`);
}

function printPassword(io: Io, credential: Credential, asJson: boolean | undefined): void {
  io.out(
    asJson === true
      ? json(credentialJson(credential, [], credential.createdAt))
      : `credential     ${credential.id}`,
  );
}

function printSecret(io: Io, { credential, secret }: CreatedSecret, issuer: string, asJson = false): void {
  if (asJson) {
    io.out(json({ ...credentialJson(credential, [], credential.createdAt), client_secret: secret }));
    return;
  }
  io.out(`credential     ${credential.id}`);
  io.out(`client_id      ${credential.clientId}`);
  io.out(`client_secret  ${secret}`);
  io.err(
    `\nThe secret is shown only once. A token for it:\n\n${curlLine(issuer, credential.clientId, secret)}\n`,
  );
}
