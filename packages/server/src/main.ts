import { Command } from 'commander';
import { apiUserCommand } from './commands/api-user.ts';
import { credentialCommand } from './commands/credential.ts';
import { doctorCommand } from './commands/doctor.ts';
import { EXIT_CODES_HELP, exitOf } from './commands/exit-code.ts';
import { processIo, withoutSecrets, type Io } from './commands/io.ts';
import { migrateCommand } from './commands/migrate.ts';
import { secretCommand } from './commands/secret.ts';
import { serveCommand } from './commands/serve.ts';
import { signingKeyCommand } from './commands/signing-key.ts';
import { tokenCommand } from './commands/token.ts';
import { VERSION } from './version.ts';

/** Runs one command of the `mintmark` command line; resolves to its exit code and never throws. */
export async function run(argv: readonly string[], io: Io = processIo): Promise<number> {
  try {
    await commandLine(io).parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    const { code, message } = exitOf(error);
    if (message !== '') io.err(`mintmark: ${withoutSecrets(message)}`);
    return code;
  }
}

function commandLine(io: Io): Command {
  const program = new Command('mintmark')
    .description('Access tokens for machines: the token server and its administration.')
    .version(VERSION)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.out(text.trimEnd()),
      writeErr: (text) => io.err(withoutSecrets(text.trimEnd())),
    })
    .configureHelp({ helpWidth: 110 })
    .addHelpText('after', `${EXIT_CODES_HELP}\n\nExample:\n  mintmark serve`);
  serveCommand(program, io);
  migrateCommand(program, io);
  apiUserCommand(program, io);
  credentialCommand(program, io);
  signingKeyCommand(program, io);
  tokenCommand(program, io);
  secretCommand(program, io);
  doctorCommand(program, io);
  return program;
}
