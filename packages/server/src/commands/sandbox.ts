import { InvalidArgumentError, Option, type Command } from 'commander';
import { SETTINGS, type SettingName } from '../config/config.ts';
import { DURATION_EXAMPLES } from '../lib/duration.ts';
import type { ControlledSandbox } from '../server/sandbox/control/sandbox.routes.ts';
import { curlLine } from './curl-line.ts';
import type { Io } from './io.ts';
import { addSettings, duration, durationOption, several, wholeNumber } from './options.ts';
import { untilSignal } from './until-signal.ts';

/** The settings of the server that a sandbox takes. */
const SANDBOX_SETTINGS = ['signingAlgorithm', 'audience'] as const satisfies readonly SettingName[];
const PORT = 8090;
const CONTROL_PORT = 8091;
const TOKEN_LIFE_MS = 900_000;
const TOKEN_LIFE_MS_MAX = 86_400_000;
const SCOPES = ['campaigns:read'];

interface SandboxOptions {
  port: number;
  controlPort: number;
  tokenLife: number;
  scope?: string[];
  json?: boolean;
  signingAlgorithm?: string;
  audience?: string;
}

export function sandboxCommand(program: Command, io: Io): void {
  const command = program
    .command('sandbox')
    .description(
      'Start a token server for tests: everything is in memory, and an HTTP API moves its clock, adds faults and ' +
        'shows what clients sent. Only this machine reaches it.',
    )
    .addOption(portOption('--port <port>', 'Port of the token server; 0: any free one.', PORT))
    .addOption(portOption('--control-port <port>', 'Port of the control API; 0: any free one.', CONTROL_PORT))
    .addOption(
      durationOption('--token-life <duration>', 'How long tokens live, from 1s on.', TOKEN_LIFE_MS).argParser(
        tokenLife,
      ),
    )
    .option(
      '--scope <scopes>',
      `Scopes of the API user that it starts with. (default: ${SCOPES.join(' ')})`,
      several,
    )
    .option('--json', 'Print one line of JSON with all URLs, id and secret when it is ready.');
  addSettings(command, SANDBOX_SETTINGS).addHelpText(
    'after',
    `\nA duration is a number with a unit: ${DURATION_EXAMPLES}. The clients of a sandbox have clocks of their own: ` +
      'short lives\nshow how they renew. docs/sandbox.md has examples in Python and Go.' +
      '\n\nExamples:\n  mintmark sandbox --token-life 5s\n  mintmark sandbox --port 0 --control-port 0 --json' +
      '\n  curl -d \'{"by": "20 min"}\' -H \'Content-Type: application/json\' ' +
      `http://127.0.0.1:${CONTROL_PORT}/v1/clock/advance`,
  );
  command.action(async (options: SandboxOptions) => await serveSandbox(options, io));
}

function portOption(flags: string, help: string, standard: number): Option {
  return new Option(flags, help).argParser(port).default(standard);
}

function port(text: string): number {
  const number = wholeNumber(text);
  if (number > 65_535) throw new InvalidArgumentError('Give a port from 0 to 65535.');
  return number;
}

function tokenLife(text: string): number {
  const ms = duration(text);
  if (ms >= 1000 && ms <= TOKEN_LIFE_MS_MAX && ms % 1000 === 0) return ms;
  throw new InvalidArgumentError('Give whole seconds from 1s to 24h.');
}

/** Imports the server only here: no other command needs its modules. */
async function serveSandbox(options: SandboxOptions, io: Io): Promise<void> {
  const { startControlledSandbox } = await import('../server/sandbox/control/controlled-sandbox.ts');
  const running = await startControlledSandbox({
    runs: true,
    tokenLifeSeconds: options.tokenLife / 1000,
    scopes: options.scope ?? SCOPES,
    settings: settingsOf(options, io),
    controlPort: options.controlPort,
    ...(options.port !== 0 && { port: options.port }),
  });
  const stopped = untilSignal(running, io);
  if (options.json === true) io.out(JSON.stringify(running.description()));
  else greet(running.description(), io);
  await stopped;
}

/** A sandbox takes no other setting from the environment, which may be that of a real server. */
function settingsOf(options: SandboxOptions, { env }: Io): Record<string, string> {
  return Object.fromEntries(
    SANDBOX_SETTINGS.flatMap((name) => {
      const value = options[name] ?? env[SETTINGS[name].env];
      return value === undefined ? [] : [[SETTINGS[name].env, value]];
    }),
  );
}

function greet(sandbox: ControlledSandbox, io: Io): void {
  const { base_url: url, client_id: id, client_secret: secret } = sandbox;
  io.out(
    'A sandbox for tests: it forgets everything when it stops. It has one API user:\n\n' +
      `  client_id      ${id}\n  client_secret  ${secret}\n\n` +
      `Get a token:\n\n  ${curlLine(url, id, secret)}\n\n` +
      `Its issuer, for an API under test:\n\n  ${url}\n\n` +
      'API users, clock, faults and the journal of requests, described in openapi.json:\n\n' +
      `  ${sandbox.control_url}\n`,
  );
  io.out(`mintmark sandbox is ready: POST ${sandbox.token_url}`);
}
