import { InvalidArgumentError, type Command } from 'commander';
import { ROLES, type Role } from '../domain/actor.ts';
import { invitationUrl } from '../domain/invitation.ts';
import { operatorState } from '../domain/operator.ts';
import {
  changeOperatorRole,
  createOperator,
  inviteAgain,
  inviteOperator,
  removeOperator,
  resetOperator,
  type Invited,
} from '../admin/operators/operator.ts';
import { invitationJson, operatorJson } from '../http/admin/operator.wire.ts';
import { commandLineChange } from './actor.ts';
import { json, readLine, shellWord, table, time, type Io } from './io.ts';
import {
  addSettings,
  atLeastOne,
  issuerFor,
  storeCommand,
  STORE_SETTINGS,
  URL_HELP,
  URL_SETTINGS,
  withStore,
} from './options.ts';

export function operatorCommand(program: Command, io: Io): void {
  const parent = program.command('operator').description('Create, change and remove operators.');
  parent.addHelpText('after', '\nExample:\n  mintmark operator create --email ada@example.com --role admin');
  create(parent, io);
  list(parent, io);
  linkCommand(parent, io, inviteAgain, {
    verb: 'invite',
    description: 'Print a new link for an operator who has not chosen a password yet.',
    detail: 'The link before it stops working.',
  });
  linkCommand(parent, io, resetOperator, {
    verb: 'reset',
    description: 'Remove password, second factor and sessions, and print a link to choose a new password.',
    detail: 'For an operator whose password or second factor is lost or stolen.',
  });
  update(parent, io);
  remove(parent, io);
}

const LINK_SETTINGS = [...STORE_SETTINGS, ...URL_SETTINGS, 'invitationLifeSeconds'] as const;

function role(text: string): Role {
  const match = ROLES.find((name) => name === text);
  if (match === undefined) throw new InvalidArgumentError(`Give one of ${ROLES.join(', ')}.`);
  return match;
}

const ROLE_HELP =
  'viewer: reads; operator: also changes API users and credentials; admin: also operators and signing keys.';

interface CreateOptions {
  email: string;
  role: Role;
  passwordStdin?: boolean;
  json?: boolean;
}

function create(parent: Command, io: Io): void {
  const command = storeCommand(
    parent,
    'create',
    'Create an operator, and print a link to choose a password with, which works once.',
  );
  command
    .requiredOption('--email <address>', 'What the operator signs in with.')
    .requiredOption('--role <role>', ROLE_HELP, role)
    .option('--password-stdin', 'Instead of a link: the password, read from standard input.');
  addSettings(command, LINK_SETTINGS).addHelpText(
    'after',
    URL_HELP + '\nExample:\n  mintmark operator create --email ada@example.com --role admin',
  );
  command.action(async ({ email, role: roleOption, passwordStdin, json: asJson }: CreateOptions) => {
    const password = passwordStdin === true ? await readLine(io, 'Password:') : null;
    await withStore(command, io, async (store, config) => {
      const change = commandLineChange(store);
      if (password === null) {
        const life = config.invitationLifeSeconds;
        const invited = await inviteOperator(change, { email, role: roleOption }, life);
        return printInvited(io, invited, await issuerFor(command, io, store, config), asJson);
      }
      const operator = await createOperator(change, { email, role: roleOption, password });
      io.out(asJson === true ? json(operatorJson(operator)) : `created  ${operator.id}  ${operator.email}`);
    });
  });
}

interface ListOptions {
  search?: string;
  after?: string;
  limit: number;
  json?: boolean;
}

function list(parent: Command, io: Io): void {
  const command = storeCommand(
    parent,
    'list',
    'List operators and when they were last seen, in the order of their ids.',
  );
  command
    .option('--search <text>', 'Only those with this text in their e-mail address, in any letter case.')
    .option('--after <id>', 'Begin after this one: the next page.')
    .option('--limit <number>', 'How many at most.', atLeastOne, 100);
  addSettings(command, STORE_SETTINGS).addHelpText('after', '\nExample:\n  mintmark operator list --json');
  command.action(async (options: ListOptions) => {
    const search = options.search?.trim() ?? '';
    const page = { after: options.after ?? null, limit: options.limit };
    const operators = await withStore(command, io, (store) =>
      store.operators.list(search === '' ? page : { ...page, search }),
    );
    if (options.json === true) return io.out(json(operators.map(operatorJson)));
    if (operators.length === 0 && search !== '')
      return io.err(`No operator matches ${JSON.stringify(search)}.`);
    if (operators.length === 0) return io.err('There are no operators: mintmark operator create --email …');
    const rows = operators.map((operator) => [
      operator.id,
      operator.role,
      operatorState(operator),
      operator.sealedTotpSecret === null ? 'no' : 'yes',
      time(operator.lastSeenAt),
      operator.email,
    ]);
    io.out(table(['OPERATOR', 'ROLE', 'STATE', 'SECOND FACTOR', 'LAST SEEN', 'E-MAIL'], rows));
    if (operators.length < options.limit) return;
    const again = search === '' ? '' : ` --search ${shellWord(search)}`;
    io.err(`\nMore: mintmark operator list${again} --after ${operators.at(-1)?.id}`);
  });
}

/** A command that prints a new invitation link. */
function linkCommand(
  parent: Command,
  io: Io,
  work: typeof inviteAgain,
  { verb, description, detail }: { verb: string; description: string; detail: string },
): void {
  const command = storeCommand(parent, `${verb} <id-or-email>`, description);
  addSettings(command, LINK_SETTINGS).addHelpText(
    'after',
    `\n${detail}\n${URL_HELP}\nExample:\n  mintmark operator ${verb} ada@example.com`,
  );
  command.action(async (name: string, options: { json?: boolean }) => {
    await withStore(command, io, async (store, config) => {
      const life = config.invitationLifeSeconds;
      const invited = await work(commandLineChange(store), name, life);
      printInvited(io, invited, await issuerFor(command, io, store, config), options.json);
    });
  });
}

function update(parent: Command, io: Io): void {
  const command = storeCommand(
    parent,
    'update <id-or-email>',
    'Change the role; the operator is signed out.',
  );
  command.requiredOption('--role <role>', ROLE_HELP, role);
  addSettings(command, STORE_SETTINGS).addHelpText(
    'after',
    '\nRefused for the last admin. A person who was only a member needs a new link: mintmark operator reset.' +
      '\n\nExample:\n  mintmark operator update ada@example.com --role viewer',
  );
  command.action(async (name: string, options: { role: Role; json?: boolean }) => {
    const operator = await withStore(command, io, (store) =>
      changeOperatorRole(commandLineChange(store), name, options.role),
    );
    io.out(options.json === true ? json(operatorJson(operator)) : `${operator.email} is ${operator.role}`);
  });
}

function remove(parent: Command, io: Io): void {
  const command = storeCommand(parent, 'remove <id-or-email>', 'Remove an operator, who is signed out.');
  addSettings(command, STORE_SETTINGS).addHelpText(
    'after',
    '\nRefused for the last admin.\n\nExample:\n  mintmark operator remove ada@example.com',
  );
  command.action(async (name: string, options: { json?: boolean }) => {
    const operator = await withStore(command, io, (store) => removeOperator(commandLineChange(store), name));
    io.out(
      options.json === true ? json({ removed: operator.id }) : `removed  ${operator.id}  ${operator.email}`,
    );
  });
}

function printInvited(io: Io, invited: Invited, issuer: string, asJson: boolean | undefined): void {
  if (asJson === true) return io.out(json(invitationJson(invited, issuer)));
  const { operator, token, expiresAt } = invited;
  io.out(invitationUrl(issuer, token));
  io.err(
    `\nThe link is shown only once. With it, ${operator.email} chooses a password: it works once, until ${time(expiresAt)}.`,
  );
}
