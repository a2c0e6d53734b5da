import cluster from 'node:cluster';
import type { Command } from 'commander';
import type { Logger } from 'pino';
import { SETTING_NAMES, SETTINGS, type Config } from '../config/config.ts';
import { TOKEN_PATH } from '../http/paths.ts';
import { DURATION_EXAMPLES } from '../lib/duration.ts';
import { openLog } from '../lib/log.ts';
import { growHeapUnderLoad } from '../lib/heap-growth.ts';
import type { RunningServer } from '../server/serve.ts';
import type { RunningWorkers } from '../server/workers/primary.ts';
import { curlLine } from './curl-line.ts';
import { time, type Io } from './io.ts';
import { untilSignal } from './until-signal.ts';
import { addRemovedSettings, addSettings, configOf } from './options.ts';

export function serveCommand(program: Command, io: Io): void {
  const command = program.command('serve').description('Start the token server.');
  addRemovedSettings(command);
  addSettings(command, SETTING_NAMES).addHelpText(
    'after',
    `\nA number of milliseconds, seconds, hours or days may have another unit: ${DURATION_EXAMPLES}.` +
      `\n\nOnly in the environment:\n${onlyInTheEnvironment()}` +
      '\n\nExamples:\n  mintmark serve --port 8080 --token-life 300' +
      '\n  mintmark serve --workers 4        # kill -HUP <process id>: new workers, one after the other',
  );
  command.action(async () => {
    const config = configOf(command, io);
    const { log, close } = openLog(config);
    try {
      await serveAs(config, log, io);
    } finally {
      await close();
    }
  });
}

/** Imports the server only here: it has a thousand modules, and no other command needs them. */
async function serveAs(config: Config, log: Logger, io: Io): Promise<void> {
  if (cluster.isWorker) {
    const { serveAsWorker } = await import('../server/workers/worker.ts');
    await serveAsWorker(config, log, growHeapUnderLoad);
  } else if (config.workers > 1) {
    const restartOnHangUp = hangUps(io);
    const { serveWithWorkers } = await import('../server/workers/primary.ts');
    const running = await serveWithWorkers(config, log);
    growHeapUnderLoad();
    restartOnHangUp(running);
    await untilStopped(running, io);
  } else {
    const { serve } = await import('../server/serve.ts');
    const running = await serve(config, log);
    void running.loaded.then(growHeapUnderLoad);
    await untilStopped(running, io);
  }
}

function onlyInTheEnvironment(): string {
  const secrets = Object.values(SETTINGS).filter(({ flag }) => flag === null);
  return secrets.map(({ env, help }) => `  ${env}  ${help}`).join('\n');
}

function greet({ config, first, firstAdmin }: RunningServer | RunningWorkers, io: Io): void {
  if (first !== null) {
    io.out(
      'This store is new. It has a signing key and one API user; its secret is shown only once:\n\n' +
        `  client_id      ${first.user.clientId}\n  client_secret  ${first.secret}\n\n` +
        `Get a token:\n\n  ${curlLine(config.issuer, first.user.clientId, first.secret)}\n`,
    );
  } else {
    io.out(
      `To create an API user:  ${calledAs()} api-user create --name "Importer" --scope campaigns:read\n`,
    );
  }
  if (firstAdmin !== null) {
    io.out(
      'Nobody can sign in to the console yet. The first admin chooses a password with this link, once, until ' +
        `${time(firstAdmin.expiresAt)}:\n\n  ${firstAdmin.url}\n`,
    );
  }
  io.out(`mintmark is ready: POST ${config.issuer}${TOKEN_PATH}`);
}

/** `npx mintmark` if npm started this process, as in a clone; containers and systemd start it without npm. */
function calledAs(): string {
  return process.env['npm_lifecycle_event'] === undefined ? 'mintmark' : 'npx mintmark';
}

async function untilStopped(running: RunningServer | RunningWorkers, io: Io): Promise<void> {
  const stopped = untilSignal(running, io);
  greet(running, io);
  await stopped;
}

/**
 * Installs the SIGHUP handler at once: the first worker serves before the others, and a SIGHUP then must not
 * end the process. The restart waits until all workers serve.
 */
function hangUps(io: Io): (running: RunningWorkers) => void {
  const started = Promise.withResolvers<RunningWorkers>();
  process.on('SIGHUP', () => void started.promise.then(restart));

  async function restart(running: RunningWorkers): Promise<void> {
    io.err('mintmark: SIGHUP: new workers take the place of the old ones.');
    try {
      if (await running.restart()) io.err('mintmark: all workers are new.');
    } catch (error) {
      io.err(`mintmark: the restart was given up, what serves goes on: ${(error as Error).message}`);
    }
  }

  return started.resolve;
}
