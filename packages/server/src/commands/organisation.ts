import type { Command } from 'commander';
import {
  createOrganisation,
  deleteOrganisation,
  existingOrganisation,
  listOrganisations,
  switchOrganisation,
  updateOrganisation,
} from '../admin/organisation.ts';
import { listViolations } from '../admin/organisation-violations.ts';
import { DEFAULT_POLICY, type Organisation } from '../domain/organisation.ts';
import { changedSettings, newSettings } from '../domain/organisation-record.ts';
import { listedOrganisationJson, organisationJson, violationJson } from '../http/admin/organisation.wire.ts';
import type { Store } from '../storage/store.ts';
import { commandLineActor, commandLineChange } from './actor.ts';
import { claimsText } from './claims.ts';
import { json, shellWord, table, time, type Io } from './io.ts';
import { addSettings, atLeastOne, storeCommand, STORE_SETTINGS, withStore } from './options.ts';
import { exportCommand, importCommand } from './organisation-bulk.ts';
import { addOrganisationOptions, settingsInput, type OrganisationOptions } from './organisation-options.ts';

export function organisationCommand(program: Command, io: Io): void {
  const parent = program
    .command('organisation')
    .description('Create, change and remove organisations, which manage their own API users.');
  parent.addHelpText(
    'after',
    '\nExample:\n  mintmark organisation create --name "Agency" --scope campaigns:read',
  );
  create(parent, io);
  list(parent, io);
  show(parent, io);
  update(parent, io);
  switchCommand(parent, io, 'disable', 'Stop all tokens of its API users, and hide it from its members.');
  switchCommand(parent, io, 'enable', 'Give tokens to its API users again.');
  remove(parent, io);
  violations(parent, io);
  exportCommand(parent, io);
  importCommand(parent, io);
}

const EMPTY_VALUE = '\nAn empty value removes a setting, and 0 a bound.\n';

function create(parent: Command, io: Io): void {
  const command = storeCommand(parent, 'create', 'Create an organisation with a policy for its API users.');
  command.requiredOption('--name <name>', 'Its name.');
  addSettings(addOrganisationOptions(command), STORE_SETTINGS).addHelpText(
    'after',
    '\nExample:\n  mintmark organisation create --name "Agency" --scope campaigns:read --credential-days 90 --api-users 20',
  );
  command.action(async (options: OrganisationOptions & { name: string }) => {
    const input = { ...settingsInput(options, DEFAULT_POLICY.quota), name: options.name };
    const organisation = await withStore(command, io, (store) =>
      createOrganisation(commandLineChange(store), newSettings(input)),
    );
    print(io, organisation, options.json);
  });
}

interface ListOptions {
  search?: string;
  after?: string;
  limit: number;
  json?: boolean;
}

function list(parent: Command, io: Io): void {
  const command = storeCommand(parent, 'list', 'List organisations in the order of their names.');
  command
    .option('--search <text>', 'Only those with this text in their name, id, external id or contact.')
    .option('--after <id>', 'Begin after this one: the next page.')
    .option('--limit <number>', 'How many at most.', atLeastOne, 100);
  addSettings(command, STORE_SETTINGS).addHelpText(
    'after',
    '\nExample:\n  mintmark organisation list --search agency --json',
  );
  command.action(async (options: ListOptions) => {
    const search = options.search?.trim() || null;
    const listed = await withStore(command, io, async (store) =>
      listOrganisations(store, {
        after: await positionOf(store, options.after),
        limit: options.limit,
        search,
        enabled: null,
      }),
    );
    if (options.json === true) return io.out(json(listed.map(listedOrganisationJson)));
    if (listed.length === 0 && search !== null)
      return io.err(`No organisation matches ${JSON.stringify(search)}.`);
    if (listed.length === 0)
      return io.err('There are no organisations: mintmark organisation create --name …');
    const rows = listed.map(({ organisation, apiUsers, members }) => [
      organisation.id,
      organisation.enabled ? 'enabled' : 'disabled',
      String(apiUsers),
      String(members),
      organisation.name,
    ]);
    io.out(table(['ORGANISATION', 'STATE', 'API USERS', 'MEMBERS', 'NAME'], rows));
    if (listed.length < options.limit) return;
    const again = search === null ? '' : ` --search ${shellWord(search)}`;
    io.err(`\nMore: mintmark organisation list${again} --after ${listed.at(-1)?.organisation.id}`);
  });
}

async function positionOf(
  store: Store,
  id: string | undefined,
): Promise<{ name: string; id: string } | null> {
  if (id === undefined) return null;
  const { name } = await existingOrganisation(store, id, commandLineActor());
  return { name, id };
}

function show(parent: Command, io: Io): void {
  const command = storeCommand(parent, 'show <id>', 'Show one organisation and its policy.');
  addSettings(command, STORE_SETTINGS).addHelpText('after', '\nExample:\n  mintmark organisation show org_…');
  command.action(async (id: string, options: { json?: boolean }) => {
    const organisation = await withStore(command, io, (store) =>
      existingOrganisation(store, id, commandLineActor()),
    );
    print(io, organisation, options.json);
  });
}

function update(parent: Command, io: Io): void {
  const command = storeCommand(parent, 'update <id>', 'Change settings of an organisation; the others stay.');
  command.option('--name <name>', 'Its name.');
  addSettings(addOrganisationOptions(command), STORE_SETTINGS).addHelpText(
    'after',
    `${EMPTY_VALUE}\nExample:\n  mintmark organisation update org_… --scope campaigns:read --violations end`,
  );
  command.action(async (id: string, options: OrganisationOptions) => {
    const organisation = await withStore(command, io, (store) =>
      updateOrganisation(commandLineChange(store), id, (before) =>
        changedSettings(before, settingsInput(options, before.policy.quota)),
      ),
    );
    print(io, organisation, options.json);
    if (options.json !== true) io.err(`\nWhat it forbids now: mintmark organisation violations ${id}`);
  });
}

function switchCommand(parent: Command, io: Io, verb: 'enable' | 'disable', description: string): void {
  const command = storeCommand(parent, `${verb} <id>`, description);
  if (verb === 'disable')
    command.option('--keep-tokens', 'Tokens that its API users have stay valid until they expire.');
  addSettings(command, STORE_SETTINGS).addHelpText(
    'after',
    `\nExample:\n  mintmark organisation ${verb} org_…`,
  );
  command.action(async (id: string, options: { keepTokens?: boolean; json?: boolean }) => {
    const revoking = { revoke: verb === 'disable' && options.keepTokens !== true };
    const organisation = await withStore(command, io, (store) =>
      switchOrganisation(commandLineChange(store), id, verb === 'enable', revoking),
    );
    print(io, organisation, options.json);
    if (verb === 'disable') io.err(`\nUndo: mintmark organisation enable ${id}`);
  });
}

function remove(parent: Command, io: Io): void {
  const command = storeCommand(
    parent,
    'delete <id>',
    'Remove an organisation without API users, and its members and invitations.',
  );
  addSettings(command, STORE_SETTINGS).addHelpText(
    'after',
    '\nExample:\n  mintmark organisation delete org_…',
  );
  command.action(async (id: string, options: { json?: boolean }) => {
    await withStore(command, io, (store) => deleteOrganisation(commandLineChange(store), id));
    io.out(options.json === true ? json({ deleted: id }) : `deleted  ${id}`);
  });
}

function violations(parent: Command, io: Io): void {
  const command = storeCommand(
    parent,
    'violations <id>',
    'List API users and credentials that the policy forbids, because it was stricter later.',
  );
  command
    .option('--after <client-id>', 'Begin after this API user: the next page.')
    .option('--limit <number>', 'How many, up to the next API user.', atLeastOne, 100);
  addSettings(command, STORE_SETTINGS).addHelpText(
    'after',
    '\nExample:\n  mintmark organisation violations org_…',
  );
  command.action(async (id: string, options: { after?: string; limit: number; json?: boolean }) => {
    const { items, next } = await withStore(command, io, async (store) => {
      const organisation = await existingOrganisation(store, id, commandLineActor());
      const page = { after: options.after ?? null, limit: options.limit };
      return await listViolations(store, organisation, page, Date.now());
    });
    if (options.json === true) return io.out(json(items.map(violationJson)));
    if (items.length === 0) return io.err('The policy forbids nothing that exists.');
    const rows = items.map(({ clientId, credentialId, problem }) => [
      clientId ?? '-',
      credentialId ?? '-',
      problem,
    ]);
    io.out(table(['CLIENT ID', 'CREDENTIAL', 'PROBLEM'], rows));
    if (next !== null) io.err(`\nMore: mintmark organisation violations ${id} --after ${next}`);
  });
}

function print(io: Io, organisation: Organisation, asJson: boolean | undefined): void {
  if (asJson === true) return io.out(json(organisationJson(organisation)));
  const { policy } = organisation;
  const { quota } = policy;
  const listed = (items: readonly string[]) => (items.length === 0 ? '-' : items.join(' '));
  const bound = (value: number | null, unit: string) => (value === null ? '-' : `${value} ${unit}`);
  const rows = [
    ['id', organisation.id],
    ['name', organisation.name],
    ['state', organisation.enabled ? 'enabled' : 'disabled'],
    ['external', organisation.externalId ?? '-'],
    ['contact', organisation.contact ?? '-'],
    ['scopes', listed(policy.scopes)],
    ['audiences', listed(policy.audiences)],
    ['kinds', listed(policy.credentialKinds)],
    ['issuers', listed(policy.trustIssuers)],
    ['credentials', bound(policy.credentialDaysMax, 'days')],
    ['API users', `at most ${policy.apiUsersMax}, each ${bound(policy.apiUserLimitMax, 'calls/min')}`],
    ['limit', bound(policy.limitPerMinute, 'calls/min')],
    [
      'quota',
      `${bound(quota.tokensPerHour, 'per hour')}, ${bound(quota.tokensPerDay, 'per day')}, ${quota.mode}`,
    ],
    ['token life', bound(policy.tokenLifeSeconds, 's')],
    ['networks', policy.allowedNetworks.length === 0 ? 'any' : listed(policy.allowedNetworks)],
    ['violations', policy.violations],
    ['claims', claimsText(organisation.claims)],
    ['created', time(organisation.createdAt)],
    ['updated', time(organisation.updatedAt)],
  ];
  io.out(rows.map(([name = '', value = '']) => `${name.padEnd(11)}  ${value}`).join('\n'));
}
