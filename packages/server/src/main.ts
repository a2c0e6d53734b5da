import { Command } from 'commander';
import { EXIT_CODES_HELP, exitOf } from './commands/exit-code.ts';
import { processIo, type Io } from './commands/io.ts';
import { refuseArguments } from './commands/options.ts';
import { VERSION } from './lib/version.ts';

/** Runs one command of the `mintmark` command line; resolves to its exit code and never throws. */
export async function run(argv: readonly string[], io: Io = processIo): Promise<number> {
  try {
    await (await commandLine(io, argv[0])).parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    const { code, message } = exitOf(error);
    for (const line of message === '' ? [] : message.split('\n')) io.err(withoutSecrets(`mintmark: ${line}`));
    return code;
  }
}

/**
 * Masks secrets that an operator put in the wrong place (a secret for an id, a key for a path), so that no
 * terminal or log shows them.
 */
function withoutSecrets(text: string): string {
  return text
    .replaceAll(/(mm[sil]_)[0-9A-Za-z_]+/g, '$1…')
    .replaceAll(/\b[0-9a-f]{64}\b/gi, '…')
    .replaceAll(/'(--[a-z-]+)=[^']*'/g, "'$1'");
}

/** Replaces commander's own help command, which knows only the first level of commands. */
function helpCommand(program: Command): void {
  const help = program.helpCommand(false).command('help [command...]');
  help.description('Show the help of a command.').action((names: string[]) => {
    const target = names.reduce((parent, name) => {
      const child = parent.commands.find((command) => command.name() === name);
      return child ?? parent.error(`error: unknown command '${name}'`);
    }, program);
    target.help();
  });
}

const EXAMPLES = `Examples:
  mintmark serve
  mintmark api-user create --name "Importer" --scope campaigns:read
  mintmark doctor

Each command has its own --help: mintmark credential reset --help`;

type AddCommand = (program: Command, io: Io) => void;

/** In the order of the help. Loading all of them would take longer than most commands run. */
const COMMANDS: Readonly<Record<string, () => Promise<AddCommand>>> = {
  serve: async () => (await import('./commands/serve.ts')).serveCommand,
  migrate: async () => (await import('./commands/migrate.ts')).migrateCommand,
  'api-user': async () => (await import('./commands/api-user.ts')).apiUserCommand,
  credential: async () => (await import('./commands/credential.ts')).credentialCommand,
  organisation: async () => (await import('./commands/organisation.ts')).organisationCommand,
  member: async () => (await import('./commands/member.ts')).memberCommand,
  audience: async () => (await import('./commands/audience.ts')).audienceCommand,
  key: async () => (await import('./commands/key.ts')).keyCommand,
  'signing-key': async () => (await import('./commands/signing-key.ts')).signingKeyCommand,
  operator: async () => (await import('./commands/operator.ts')).operatorCommand,
  audit: async () => (await import('./commands/audit.ts')).auditCommand,
  store: async () => (await import('./commands/store.ts')).storeCommands,
  token: async () => (await import('./commands/token.ts')).tokenCommand,
  trust: async () => (await import('./commands/trust.ts')).trustCommand,
  secret: async () => (await import('./commands/secret.ts')).secretCommand,
  sandbox: async () => (await import('./commands/sandbox.ts')).sandboxCommand,
  'check-client': async () => (await import('./commands/check-client.ts')).checkClientCommand,
  doctor: async () => (await import('./commands/doctor.ts')).doctorCommand,
};

/** The command line with the command of this name, or with all commands if the name is unknown. */
async function commandLine(io: Io, name = ''): Promise<Command> {
  const program = new Command('mintmark')
    .description('Access tokens for machines: the token server and its administration.')
    .version(VERSION, '-V, --version', 'Print the version.')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.out(text.trimEnd()),
      writeErr: (text) => io.err(text.trimEnd()),
      outputError: (text, write) => write(withoutSecrets(text.replace(/^error:/, 'mintmark:'))),
    })
    .configureHelp({ helpWidth: 110 })
    .helpOption('-h, --help', 'Show this help.')
    .helpCommand('help [command]', 'Show the help of a command.')
    .showHelpAfterError('(add --help for the usage and an example)')
    .addHelpText('after', `${EXIT_CODES_HELP}\n\n${EXAMPLES}`);
  program.hook('preAction', (_program, command) => refuseArguments(command));
  const loads = Object.hasOwn(COMMANDS, name) ? [COMMANDS[name]] : Object.values(COMMANDS);
  for (const load of loads) (await load?.())?.(program, io);
  helpCommand(program);
  return program;
}
