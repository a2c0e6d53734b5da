import type { Command } from 'commander';
import { keyIdOf, secretProblem } from '../domain/secret.ts';
import { AppError } from '../domain/app-error.ts';
import { json, readLine, type Io } from './io.ts';

export function secretCommand(program: Command, io: Io): void {
  const parent = program.command('secret').description('Check secrets offline.');
  parent.addHelpText('after', '\nExample:\n  mintmark secret check < secret.txt');
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
