// Runs runtime-journey.mjs in the runtimes: with the packages from their tarballs, and a real server.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Browser } from 'playwright-core';
import { rolldown } from 'rolldown';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { projectWith, type Project } from './packed.ts';
import type { Runtime } from './runtimes.ts';
import { startServer, type TestServer } from './server.ts';

const JOURNEY = new URL('runtime-journey.mjs', import.meta.url).pathname;
const JOURNEY_MS = 90_000;
const START_MS = 120_000;

/** What a journey returns if all went as it must. */
export const JOURNEY_RESULT: Readonly<Record<string, unknown>> = {
  oneRequestForAll: true,
  verified: true,
  servedOldToken: true,
  renewed: true,
  rotation: [true, true],
  malformed: 'malformed',
  refused: 'revoked',
  replayed: true,
};

interface Traveller {
  host: string;
  clientId: string;
  clientSecret: string;
  /** Where "rotate" and "revoke" are requested. */
  controlUrl: string;
}

export interface Journeys extends AsyncDisposable {
  /** Why the packages could not be installed, or empty. */
  readonly problem: string;
  inProgram(runtime: Runtime): Promise<unknown>;
  inBrowser(browser: Browser): Promise<unknown>;
  inWorkerd(runtime: Runtime): Promise<unknown>;
}

export async function startJourneys(): Promise<Journeys> {
  // One after the other: compilers beside it would slow the start of the server.
  const project = await projectWith('client', 'verifier');
  const server = await startServer({
    readyMs: START_MS,
    env: {
      MINTMARK_KEY_ANNOUNCE: '2',
      MINTMARK_JWKS_MAX_AGE: '1',
      MINTMARK_API_USER_LIMIT: '100000',
      MINTMARK_ADDRESS_LIMIT: '100000',
    },
  });
  if (project.problem !== '' && process.env['CI'] !== undefined) throw new Error(project.problem);
  await copyFile(JOURNEY, join(project.folder, 'journey.mjs'));
  await writeFile(join(project.folder, 'program.mjs'), PROGRAM);
  await writeFile(join(project.folder, 'worker.mjs'), WORKER);
  const inTurn = commandQueue();
  const control = createServer((request, response) => {
    const [, step = '', clientId = ''] = request.url?.split('/') ?? [];
    inTurn(() => operate(server, step, clientId)).then(
      () => response.writeHead(204).end(),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  await once(control.listen(0, '127.0.0.1'), 'listening');
  const { port } = control.address() as AddressInfo;
  const traveller = (name: string): Promise<Traveller> => inTurn(() => newTraveller(server, name, port));
  return {
    problem: project.problem,
    inProgram: async (runtime) => await inProgram(project, runtime, await traveller(runtime.name)),
    inBrowser: async (browser) => await inBrowser(project, browser, await traveller('Chromium')),
    inWorkerd: async (runtime) => await inWorkerd(project, runtime, await traveller(runtime.name)),
    async [Symbol.asyncDispose]() {
      control.close();
      await server[Symbol.asyncDispose]();
      await project[Symbol.asyncDispose]();
    },
  };
}

/** Commands one at a time: each has to lock the store. */
function commandQueue(): <T>(command: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (command) => {
    const result = last.then(command, command);
    last = result;
    return result;
  };
}

async function newTraveller(server: TestServer, name: string, controlPort: number): Promise<Traveller> {
  const command = ['api-user', 'create', '--name', name];
  const created = await server.json<{ client_id: string; client_secret: string }>(...command);
  const { client_id: clientId, client_secret: clientSecret } = created;
  // The server learns of it within a second.
  await eventually(async () => {
    const { status } = await server.post({ client_id: clientId, client_secret: clientSecret });
    assert.equal(status, 200);
  });
  const controlUrl = `http://127.0.0.1:${controlPort}/`;
  return { host: server.url, clientId, clientSecret, controlUrl };
}

async function operate(server: TestServer, step: string, clientId: string): Promise<void> {
  if (step === 'revoke') await server.cli('api-user', 'revoke-tokens', clientId);
  else if (step === 'rotate') await rotate(server);
  else throw new Error(`There is no step "${step}".`);
}

/** A key that another journey has announced is a new one for this journey too. */
async function rotate(server: TestServer): Promise<void> {
  await server.cli('signing-key', 'rotate').catch((error: Error) => {
    if (!error.message.includes('is announced already')) throw error;
  });
}

const CONTROL = `
  const controlBy = ({ controlUrl, clientId }) => async (step) => {
    const { ok, status } = await fetch(controlUrl + step + '/' + clientId, { method: 'POST' });
    if (!ok) throw new Error(step + ': status ' + status);
  };`;

const PROGRAM = `
  import { journey } from './journey.mjs';
  ${CONTROL}
  const traveller = JSON.parse(globalThis.process.env.TRAVELLER);
  console.log(JSON.stringify(await journey({ ...traveller, control: controlBy(traveller) })));
`;

const WORKER = `
  import { journey } from './journey.mjs';
  ${CONTROL}
  export default {
    async fetch(request) {
      const traveller = await request.json();
      try {
        return Response.json(await journey({ ...traveller, control: controlBy(traveller) }));
      } catch (error) {
        return new Response(error.stack, { status: 500 });
      }
    },
  };
`;

async function inProgram(project: Project, { command }: Runtime, traveller: Traveller): Promise<unknown> {
  const [executable, ...args] = command;
  const { stdout, stderr } = await promisify(execFile)(executable, [...args, 'program.mjs'], {
    cwd: project.folder,
    env: { PATH: process.env['PATH'], TRAVELLER: JSON.stringify(traveller) },
    timeout: JOURNEY_MS,
  });
  assert.doesNotMatch(stdout + stderr, /eyJ|mms_/, 'a token or a secret was printed');
  return JSON.parse(stdout);
}

async function bundleOf(project: Project, file: string, format: 'iife' | 'esm'): Promise<string> {
  const bundled = await rolldown({
    input: join(project.folder, file),
    platform: 'browser',
    logLevel: 'silent',
  });
  const { output } = await bundled.generate({ format, name: 'bundled' });
  return output[0].code;
}

/** The page is one of the server, because browsers ask other servers only for what these allow. */
async function inBrowser(project: Project, browser: Browser, traveller: Traveller): Promise<unknown> {
  const { host, clientId, controlUrl } = traveller;
  const context = await browser.newContext({ bypassCSP: true });
  try {
    const page = await context.newPage();
    await page.exposeFunction('control', async (step: string) => {
      const { status } = await fetch(`${controlUrl}${step}/${clientId}`, { method: 'POST' });
      assert.equal(status, 204);
    });
    await page.goto(`${host}/.well-known/jwks.json`);
    const code = await bundleOf(project, 'journey.mjs', 'iife');
    return await page.evaluate(`${code}; bundled.journey({ ...${JSON.stringify(traveller)}, control })`);
  } finally {
    await context.close();
  }
}

async function inWorkerd(project: Project, { command }: Runtime, traveller: Traveller): Promise<unknown> {
  const port = await freePort();
  await writeFile(join(project.folder, 'bundle.mjs'), await bundleOf(project, 'worker.mjs', 'esm'));
  await writeFile(join(project.folder, 'config.capnp'), workerdConfig(port));
  const child = spawn(command[0], ['serve', 'config.capnp'], {
    cwd: project.folder,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  try {
    const url = `http://127.0.0.1:${port}/`;
    const response = await eventually(() =>
      fetch(url, {
        method: 'POST',
        body: JSON.stringify(traveller),
        signal: AbortSignal.timeout(JOURNEY_MS),
      }),
    );
    assert.equal(response.status, 200, await response.clone().text());
    return await response.json();
  } finally {
    child.kill();
    await once(child, 'exit');
  }
}

function workerdConfig(port: number): string {
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [(name = "bundle.mjs", esModule = embed "bundle.mjs")],
      compatibilityDate = "2026-11-01",
    )),
    (name = "internet", network = (allow = ["private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
`;
}
