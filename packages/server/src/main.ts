import { Command } from 'commander';
import { apiUserCommand } from './commands/api-user.ts';
import { audienceCommand } from './commands/audience.ts';
import { auditCommand } from './commands/audit.ts';
import { checkClientCommand } from './commands/check-client.ts';
import { credentialCommand } from './commands/credential.ts';
import { doctorCommand } from './commands/doctor.ts';
import { EXIT_CODES_HELP, exitOf } from './commands/exit-code.ts';
import { processIo, type Io } from './commands/io.ts';
import { keyCommand } from './commands/key.ts';
import { memberCommand } from './commands/member.ts';
import { migrateCommand } from './commands/migrate.ts';
import { operatorCommand } from './commands/operator.ts';
import { organisationCommand } from './commands/organisation.ts';
import { refuseArguments } from './commands/options.ts';
import { sandboxCommand } from './commands/sandbox.ts';
import { secretCommand } from './commands/secret.ts';
import { serveCommand } from './commands/serve.ts';
import { signingKeyCommand } from './commands/signing-key.ts';
import { storeCommands } from './commands/store.ts';
import { tokenCommand } from './commands/token.ts';
import { trustCommand } from './commands/trust.ts';
import { VERSION } from './lib/version.ts';

/** Runs one command of the `mintmark` command line; resolves to its exit code and never throws. */
export async function run(argv: readonly string[], io: Io = processIo): Promise<number> {
  try {
    await commandLine(io).parseAsync(argv, { from: 'user' });
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

function commandLine(io: Io): Command {
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
  serveCommand(program, io);
  migrateCommand(program, io);
  apiUserCommand(program, io);
  credentialCommand(program, io);
  organisationCommand(program, io);
  memberCommand(program, io);
  audienceCommand(program, io);
  keyCommand(program, io);
  signingKeyCommand(program, io);
  operatorCommand(program, io);
  auditCommand(program, io);
  storeCommands(program, io);
  tokenCommand(program, io);
  trustCommand(program, io);
  secretCommand(program, io);
  sandboxCommand(program, io);
  checkClientCommand(program, io);
  doctorCommand(program, io);
  helpCommand(program);
  return program;
}
