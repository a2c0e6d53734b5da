import { InvalidArgumentError, type Command } from 'commander';
import { changeMemberRole, inviteMember, listMembers, removeMember } from '../admin/member.ts';
import { memberInvitationUrl } from '../domain/invitation.ts';
import { MEMBER_ROLES, type MemberRole } from '../domain/organisation.ts';
import {
  invitedMemberJson,
  madeCredentialJson,
  memberInvitationJson,
  memberJson,
  type MemberJson,
} from '../http/admin/member.wire.ts';
import type { Store } from '../storage/store.ts';
import { commandLineActor, commandLineChange } from './actor.ts';
import { json, table, time, type Io } from './io.ts';
import {
  addSettings,
  issuerFor,
  storeCommand,
  STORE_SETTINGS,
  URL_HELP,
  URL_SETTINGS,
  withStore,
} from './options.ts';

export function memberCommand(program: Command, io: Io): void {
  const parent = program
    .command('member')
    .description('Invite, change and remove members of organisations, who use the portal.');
  parent.addHelpText(
    'after',
    '\nExample:\n  mintmark member invite org_… --email grace@agency.example --role admin',
  );
  invite(parent, io);
  list(parent, io);
  role(parent, io);
  remove(parent, io);
}

function memberRole(text: string): MemberRole {
  const match = MEMBER_ROLES.find((name) => name === text);
  if (match === undefined) throw new InvalidArgumentError(`Give one of ${MEMBER_ROLES.join(', ')}.`);
  return match;
}

const ROLE_HELP = 'member: manages the API users of the organisation; admin: also its members.';

interface JsonOption {
  json?: boolean;
}

function invite(parent: Command, io: Io): void {
  const command = storeCommand(
    parent,
    'invite <organisation>',
    'Invite a person, and print a link to join with, which works once.',
  );
  command
    .requiredOption('--email <address>', 'What the member signs in with.')
    .requiredOption('--role <role>', ROLE_HELP, memberRole);
  addSettings(command, [...STORE_SETTINGS, ...URL_SETTINGS, 'invitationLifeSeconds']).addHelpText(
    'after',
    `\nAn open invitation of the same address gets a new link.\n${URL_HELP}\nExample:\n` +
      '  mintmark member invite org_… --email grace@agency.example --role admin',
  );
  command.action(async (id: string, options: JsonOption & { email: string; role: MemberRole }) => {
    await withStore(command, io, async (store, config) => {
      const { email } = options;
      const input = { email, role: options.role };
      const invited = await inviteMember(commandLineChange(store), id, input, config.invitationLifeSeconds);
      const issuer = await issuerFor(command, io, store, config);
      if (options.json === true) return io.out(json(invitedMemberJson(invited, issuer)));
      const until = time(invited.invitation.expiresAt);
      io.out(memberInvitationUrl(issuer, invited.token));
      io.err(`\nThe link is shown only once. With it, ${email} joins: it works once, until ${until}.`);
    });
  });
}

function list(parent: Command, io: Io): void {
  const command = storeCommand(parent, 'list <organisation>', 'List the members and invitations.');
  addSettings(command, STORE_SETTINGS).addHelpText(
    'after',
    '\nExample:\n  mintmark member list org_… --json',
  );
  command.action(async (id: string, options: JsonOption) => {
    const members = await withStore(command, io, (store) => membersOf(store, id));
    if (options.json === true) return io.out(json(members));
    if (members.length === 0)
      return io.err(`The organisation has no members: mintmark member invite ${id} …`);
    const factor = { true: 'yes', false: 'no', null: '-' };
    const rows = members.map((member) => [
      member.id,
      member.role,
      member.state,
      factor[`${member.second_factor}`],
      member.email,
    ]);
    io.out(table(['MEMBER', 'ROLE', 'STATE', 'SECOND FACTOR', 'E-MAIL'], rows));
  });
}

async function membersOf(store: Store, organisation: string): Promise<MemberJson[]> {
  const { members, invitations } = await listMembers(store, organisation, commandLineActor());
  return [...members.map(memberJson), ...invitations.map(memberInvitationJson)];
}

/** The id of the member or invitation with this id or e-mail address. */
async function memberId(store: Store, organisation: string, name: string): Promise<string> {
  const key = name.toLowerCase();
  const members = await membersOf(store, organisation);
  return members.find(({ email }) => email.toLowerCase() === key)?.id ?? name;
}

function role(parent: Command, io: Io): void {
  const command = storeCommand(parent, 'role <organisation> <member>', 'Change the role of a member.');
  command.requiredOption('--role <role>', ROLE_HELP, memberRole);
  addSettings(command, STORE_SETTINGS).addHelpText(
    'after',
    '\nThe member is given by id or e-mail address.\n\nExample:\n' +
      '  mintmark member role org_… grace@agency.example --role member',
  );
  command.action(async (id: string, name: string, options: JsonOption & { role: MemberRole }) => {
    const member = await withStore(command, io, async (store) =>
      changeMemberRole(commandLineChange(store), id, await memberId(store, id, name), options.role),
    );
    io.out(options.json === true ? json(memberJson(member)) : `${member.email} is ${member.role}`);
  });
}

function remove(parent: Command, io: Io): void {
  const command = storeCommand(
    parent,
    'remove <organisation> <member>',
    'Remove a member, who is signed out, or withdraw an invitation.',
  );
  addSettings(command, STORE_SETTINGS).addHelpText(
    'after',
    '\nThe member is given by id or e-mail address. Lists the live credentials that the person made, and so may know:\n' +
      'reset them.\n\nExample:\n  mintmark member remove org_… grace@agency.example',
  );
  command.action(async (organisation: string, name: string, options: JsonOption) => {
    const { removed, credentials } = await withStore(command, io, async (store) => {
      const id = await memberId(store, organisation, name);
      const live = await removeMember(commandLineChange(store), organisation, id);
      return { removed: id, credentials: live.map(madeCredentialJson) };
    });
    if (options.json === true) return io.out(json({ removed, credentials }));
    io.out(`removed  ${removed}`);
    if (credentials.length === 0) return;
    io.err('\nThe person may know these credentials: reset them.');
    const rows = credentials.map((each) => [each.client_id, each.id, each.kind, each.name]);
    io.err(table(['CLIENT ID', 'CREDENTIAL', 'KIND', 'NAME'], rows));
  });
}
