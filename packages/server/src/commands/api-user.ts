import type { Command } from 'commander';
import { UNSET_SETTINGS, type ApiUser, type ApiUserSettings } from '../domain/api-user.ts';
import { apiUserFilter } from '../domain/api-user-list.ts';
import {
  createApiUser,
  deleteApiUser,
  existingApiUser,
  revokeApiUserTokens,
  updateApiUser,
} from '../admin/api-user.ts';
import { createApiUserWithSecret } from '../admin/api-user-with-secret.ts';
import { apiUserJson, listedApiUserJson } from '../http/admin/api-user.wire.ts';
import { iso } from '../http/admin/schema.ts';
import { exportCommand, importCommand, ORGANISATION_HELP, organisationFilter } from './api-user-bulk.ts';
import { moveCommand } from './api-user-move.ts';
import { commandLineActor, commandLineChange } from './actor.ts';
import { addTokenOptions, claimsText, tokenSettings, type TokenOptions } from './claims.ts';
import { curlLine } from './curl-line.ts';
import { refusedCommand } from './api-user-refused.ts';
import { REVOKED, REVOKE_TOKENS } from './revoke-tokens.ts';
import { json, shellWord, table, time, type Io } from './io.ts';
import {
  addSettings,
  atLeastOne,
  issuerFor,
  several,
  severalUris,
  storeCommand,
  STORE_SETTINGS,
  URL_HELP,
  URL_SETTINGS,
  wholeNumber,
  withStore,
} from './options.ts';

interface SettingOptions extends TokenOptions {
  name?: string;
  username?: string;
  externalId?: string;
  contact?: string;
  scope?: string[];
  audience?: string[];
  limit?: number;
  allowNetwork?: string[];
  json?: boolean;
}

export function apiUserCommand(program: Command, io: Io): void {
  const parent = program.command('api-user').description('Create, change and remove API users.');
  parent.addHelpText(
    'after',
    '\nExample:\n  mintmark api-user create --name "Importer" --scope campaigns:read',
  );
  create(parent, io);
  list(parent, io);
  show(parent, io);
  update(parent, io);
  switchCommand(parent, io, {
    verb: 'disable',
    enabled: false,
    description: 'Refuse tokens to an API user from now on.',
  });
  switchCommand(parent, io, {
    verb: 'enable',
    enabled: true,
    description: 'Give tokens to an API user again.',
  });
  revoke(parent, io);
  remove(parent, io);
  refusedCommand(parent, io);
  moveCommand(parent, io);
  exportCommand(parent, io);
  importCommand(parent, io);
}

function settingOptions(command: Command): Command {
  command
    .option('--username <name>', 'A name that works as client_id too, such as an e-mail address.')
    .option(
      '--external-id <id>',
      'Its id in another system; unique. An import of the same id creates no second API user.',
    )
    .option('--contact <text>', 'Whom to ask about it.')
    .option('--scope <scope>', 'A scope that it may request; repeatable.', several)
    .option(
      '--audience <uri>',
      'An API that its tokens may be for; the first is the default. None: that of the server (MINTMARK_AUDIENCE).',
      severalUris,
    )
    .option('--limit <calls/min>', 'Its own limit and burst at the token endpoint.', wholeNumber)
    .option('--allow-network <network>', 'A network that it may call from; again for more.', several);
  return addTokenOptions(command);
}

interface CreateOptions extends SettingOptions {
  name: string;
  organisation?: string;
  secret: boolean;
}

function create(parent: Command, io: Io): void {
  const command = storeCommand(
    parent,
    'create',
    'Create an API user with a first secret, which is shown only once.',
  );
  command.requiredOption('--name <name>', 'What it is.');
  settingOptions(command)
    .option('--organisation <id>', 'The organisation that it belongs to. Default: the platform.')
    .option('--no-secret', 'Without a secret: give it a credential later.');
  addSettings(command, [...STORE_SETTINGS, ...URL_SETTINGS]).addHelpText(
    'after',
    URL_HELP + '\nExample:\n  mintmark api-user create --name "Importer" --scope campaigns:read --limit 60',
  );
  command.action(async (options: CreateOptions) => {
    await withStore(command, io, async (store, config) => {
      const change = commandLineChange(store);
      const settings = { ...settingsOf(options), organisationId: options.organisation ?? null };
      const secret = { name: 'first secret', expiresAt: null };
      const { user, ...created } = options.secret
        ? await createApiUserWithSecret(change, settings, secret)
        : { user: await createApiUser(change, settings) };
      if (options.json === true) {
        io.out(
          json({
            ...apiUserJson(user),
            ...('secret' in created && {
              credential_id: created.credential.id,
              client_secret: created.secret,
            }),
          }),
        );
        return;
      }
      io.out(`client_id      ${user.clientId}`);
      if (!('secret' in created))
        return io.err(`\nIt has no credential yet: mintmark credential create ${user.clientId}`);
      io.out(`client_secret  ${created.secret}`);
      const issuer = await issuerFor(command, io, store, config);
      io.err(
        `\nThe secret is shown only once. A token for it:\n\n${curlLine(issuer, user.clientId, created.secret)}`,
      );
    });
  });
}

interface ListOptions {
  search?: string;
  organisation?: string;
  after?: string;
  limit: number;
  json?: boolean;
}

function list(parent: Command, io: Io): void {
  const command = storeCommand(
    parent,
    'list',
    'List API users and their last use, in the order of their ids.',
  );
  command
    .option(
      '--search <text>',
      'Only those with this text in their name, client id, username or contact, in any letter case.',
    )
    .option('--organisation <id>', ORGANISATION_HELP)
    .option('--after <client-id>', 'Begin after this one: the next page.')
    .option('--limit <number>', 'How many at most.', atLeastOne, 100);
  addSettings(command, STORE_SETTINGS).addHelpText(
    'after',
    '\nExample:\n  mintmark api-user list --search importer --json',
  );
  command.action(async (options: ListOptions) => {
    const search = options.search?.trim() ?? '';
    const page = { after: options.after ?? null, limit: options.limit };
    const listed = await withStore(command, io, (store) =>
      store.apiUserList.byId(
        apiUserFilter({ search, ...organisationFilter(options) }, commandLineActor()),
        page,
        Date.now(),
      ),
    );
    if (options.json === true) return io.out(json(listed.map(listedApiUserJson)));
    if (listed.length === 0 && search !== '') return io.err(`No API user matches ${JSON.stringify(search)}.`);
    if (listed.length === 0) return io.err('There are no API users: mintmark api-user create --name …');
    const rows = listed.map(({ user, lastUsedAt }) => [
      user.clientId,
      user.enabled ? 'enabled' : 'disabled',
      user.name,
      time(lastUsedAt),
      user.scopes.join(' '),
    ]);
    io.out(table(['CLIENT ID', 'STATE', 'NAME', 'LAST USED', 'SCOPES'], rows));
    if (listed.length < options.limit) return;
    const again =
      (search === '' ? '' : ` --search ${shellWord(search)}`) +
      (options.organisation === undefined ? '' : ` --organisation ${shellWord(options.organisation)}`);
    io.err(`\nMore: mintmark api-user list${again} --after ${listed.at(-1)?.user.clientId}`);
  });
}

function show(parent: Command, io: Io): void {
  const command = storeCommand(parent, 'show <client-id>', 'Show one API user, by client id or username.');
  addSettings(command, STORE_SETTINGS).addHelpText(
    'after',
    '\nExample:\n  mintmark api-user show importer@example.com',
  );
  command.action(async (name: string, options: { json?: boolean }) => {
    print(
      io,
      await withStore(command, io, (store) => existingApiUser(store, name, commandLineActor())),
      options.json,
    );
  });
}

function update(parent: Command, io: Io): void {
  const command = storeCommand(
    parent,
    'update <client-id>',
    'Change settings of an API user; the others stay.',
  );
  command.option('--name <name>', 'What it is.');
  addSettings(settingOptions(command), STORE_SETTINGS).addHelpText(
    'after',
    '\nAn empty value removes a setting; --limit 0 is the default limit again.' +
      '\n\nExample:\n  mintmark api-user update api_… --limit 500 --scope "campaigns:read campaigns:manage"',
  );
  command.action(async (name: string, options: SettingOptions) => {
    const user = await withStore(command, io, (store) =>
      updateApiUser(commandLineChange(store), name, changesOf(options)),
    );
    print(io, user, options.json);
  });
}

interface StopOptions {
  force?: boolean;
  revokeTokens?: boolean;
  json?: boolean;
}

const FORCE = 'Although a caller may still use it.';
const IN_USE_REFUSED = '\nRefused (exit code 4) if one of its live credentials was used in the last hour.\n';

function switchCommand(
  parent: Command,
  io: Io,
  { verb, enabled, description }: { verb: string; enabled: boolean; description: string },
): void {
  const command = storeCommand(parent, `${verb} <client-id>`, description);
  if (!enabled) command.option('--force', FORCE).option('--revoke-tokens', REVOKE_TOKENS);
  addSettings(command, STORE_SETTINGS).addHelpText(
    'after',
    `${enabled ? '' : IN_USE_REFUSED}\nExample:\n  mintmark api-user ${verb} api_…`,
  );
  command.action(async (name: string, options: StopOptions) => {
    const revoking = { revoke: options.revokeTokens === true, force: options.force === true };
    const user = await withStore(command, io, (store) =>
      updateApiUser(commandLineChange(store), name, { enabled }, revoking),
    );
    print(io, user, options.json);
    if (enabled) return;
    io.err(`\nUndo: mintmark api-user enable ${user.clientId}`);
    io.err(revoking.revoke ? REVOKED : 'Tokens that it has already stay good until they expire.');
  });
}

function revoke(parent: Command, io: Io): void {
  const command = storeCommand(
    parent,
    'revoke-tokens <client-id>',
    'Put all tokens that an API user has on the revocation list.',
  );
  addSettings(command, STORE_SETTINGS).addHelpText(
    'after',
    '\nIts credentials go on working: to cut off somebody who knows a secret, reset or retire that too.' +
      '\n\nExample:\n  mintmark api-user revoke-tokens api_…',
  );
  command.action(async (name: string, options: { json?: boolean }) => {
    const { user, revocation } = await withStore(command, io, (store) =>
      revokeApiUserTokens(commandLineChange(store), name),
    );
    const { clientId } = user;
    const before = iso((revocation.issuedBefore ?? 0) * 1000);
    if (options.json === true) return io.out(json({ client_id: clientId, revoked_issued_before: before }));
    io.out(`revoked  tokens of ${clientId} issued before ${before}`);
    io.err(`\n${REVOKED}`);
  });
}

function remove(parent: Command, io: Io): void {
  const command = storeCommand(
    parent,
    'delete <client-id>',
    'Remove an API user and its credentials for good.',
  );
  command.option('--force', FORCE).option('--revoke-tokens', REVOKE_TOKENS);
  addSettings(command, STORE_SETTINGS).addHelpText(
    'after',
    `${IN_USE_REFUSED}\nExample:\n  mintmark api-user delete api_…`,
  );
  command.action(async (name: string, options: StopOptions) => {
    const revoking = { revoke: options.revokeTokens === true, force: options.force === true };
    const user = await withStore(command, io, (store) =>
      deleteApiUser(commandLineChange(store), name, revoking),
    );
    io.out(options.json === true ? json({ deleted: user.clientId }) : `deleted  ${user.clientId}`);
  });
}

function settingsOf(options: SettingOptions & { name: string }): ApiUserSettings {
  return { ...UNSET_SETTINGS, ...changesOf(options), name: options.name };
}

/** Holds only the settings that the options name: the change leaves all others as they are. */
function changesOf(options: SettingOptions): Partial<ApiUserSettings> {
  return {
    ...(options.name !== undefined && { name: options.name }),
    ...(options.username !== undefined && { username: options.username || null }),
    ...(options.externalId !== undefined && { externalId: options.externalId || null }),
    ...(options.contact !== undefined && { contact: options.contact || null }),
    ...(options.scope !== undefined && { scopes: options.scope }),
    ...(options.audience !== undefined && { audiences: options.audience }),
    ...(options.limit !== undefined && { limitPerMinute: options.limit || null }),
    ...(options.allowNetwork !== undefined && { allowedNetworks: options.allowNetwork }),
    ...tokenSettings(options),
  };
}

function print(io: Io, user: ApiUser, asJson: boolean | undefined): void {
  if (asJson === true) return io.out(json(apiUserJson(user)));
  const listed = (items: readonly string[]) => (items.length === 0 ? '-' : items.join(' '));
  const rows = [
    ['client_id', user.clientId],
    ['name', user.name],
    ['belongs to', user.organisationId ?? 'the platform'],
    ['state', user.enabled ? 'enabled' : 'disabled'],
    ['username', user.username ?? '-'],
    ['external', user.externalId ?? '-'],
    ['contact', user.contact ?? '-'],
    ['scopes', listed(user.scopes)],
    ['audiences', listed(user.audiences)],
    ['limit', user.limitPerMinute === null ? 'default' : `${user.limitPerMinute} calls/min`],
    ['networks', user.allowedNetworks.length === 0 ? 'any' : listed(user.allowedNetworks)],
    ['claims', claimsText(user.claims)],
    ['token life', user.tokenLifeSeconds === null ? 'default' : `${user.tokenLifeSeconds} s`],
    ['created', time(user.createdAt)],
    ['updated', time(user.updatedAt)],
  ];
  io.out(rows.map(([name = '', value = '']) => `${name.padEnd(10)}  ${value}`).join('\n'));
}
