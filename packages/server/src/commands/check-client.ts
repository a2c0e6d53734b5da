import type { Command } from 'commander';
import { AppError } from '../domain/app-error.ts';
import { inQuotes } from '../domain/characters.ts';
import type { ClientCheck } from '../server/check-client/check-client.ts';
import { json, table, type Io } from './io.ts';
import { several, severalUris } from './options.ts';

interface CheckClientOptions {
  only?: string[];
  scope?: string[];
  audience?: string[];
  json?: boolean;
}

const HELP = `
Runs the program once for each check, against a token server and an API that exist only for that run. The
program finds them in its environment:

  MINTMARK_CLIENT_ID, MINTMARK_CLIENT_SECRET  its credentials
  MINTMARK_TOKEN_URL                          the token endpoint
  MINTMARK_ISSUER                             the issuer, which is also the base URL
  MINTMARK_API_URL                            the API: a GET with the token as Bearer
  MINTMARK_CALLS, MINTMARK_PARALLEL           the number of calls to make, and how many at a time

It makes the calls with its usual code and ends, with an exit code other than 0 if a call failed for good. A
check that the program did too little for is "not judged". Exit code 6: a verdict is "no", or none is "yes".

Examples:
  mintmark check-client -- node importer.js
  mintmark check-client --only renewal,forbidden -- ./importer.sh`;

export function checkClientCommand(program: Command, io: Io): void {
  const command = program
    .command('check-client')
    .description('Check how a program gets, keeps and renews tokens, by running it.')
    .argument('<command...>', 'The program and its arguments, after --.')
    .option('--only <checks>', 'Only these checks, with commas between them.', several)
    .option(
      '--scope <scopes>',
      'Scopes that the program may request; for more than one, repeat the option or use commas. Default: campaigns:read.',
      several,
    )
    .option('--audience <uri>', 'Audience that the program may request; may be repeated.', severalUris)
    .option('--json', 'Print JSON.')
    .addHelpText('after', HELP);
  command.action(async (words: string[], options: CheckClientOptions) => {
    const checks = await checksOf(words, options, io);
    if (options.json === true) io.out(json(checks));
    else io.out(report(checks));
    const number = (verdict: ClientCheck['verdict']) =>
      checks.filter((check) => check.verdict === verdict).length;
    if (number('no') > 0)
      throw new AppError('check_failed', `${number('no')} of ${checks.length} checks failed.`);
    if (number('yes') === 0) {
      throw new AppError(
        'check_failed',
        'Nothing could be judged: the program must call MINTMARK_API_URL with a token. See mintmark check-client --help.',
      );
    }
  });
}

function report(checks: readonly ClientCheck[]): string {
  const rows = checks.map(({ name, rule, verdict, detail }) => [name, rule, verdict, detail]);
  const lines = checks
    .filter(({ verdict, lastLine }) => verdict !== 'yes' && lastLine !== '')
    .map(({ name, lastLine }) => `\n${name}: the last line of the program was ${inQuotes(lastLine)}`);
  return table(['check', 'rule', 'verdict', 'what it did'], rows) + lines.join('');
}

/** Imports the server only here, as `mintmark serve` does. */
async function checksOf(command: string[], options: CheckClientOptions, io: Io): Promise<ClientCheck[]> {
  const { only, scope: scopes = ['campaigns:read'], audience: audiences = [] } = options;
  const { checkClient } = await import('../server/check-client/check-client.ts');
  const { SCENARIOS } = await import('../server/check-client/scenarios.ts');
  const names = SCENARIOS.map(({ name }) => name);
  const unknown = only?.find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw new AppError('bad_setting', `There is no check '${unknown}'. There are: ${names.join(', ')}.`);
  const interrupted = new AbortController();
  const interrupt = (signal: NodeJS.Signals) =>
    interrupted.abort(new AppError('check_failed', `${signal}: the check was not finished.`));
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  try {
    return await checkClient(
      { command, env: io.env, scopes, audiences, signal: interrupted.signal },
      SCENARIOS.filter(({ name }) => only?.includes(name) ?? true),
      ({ name, rule }) => io.err(`${name}: ${rule} …`),
    );
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}
