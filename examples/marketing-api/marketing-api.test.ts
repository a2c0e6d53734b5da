// Test setup: first.
// The whole system: the token server, an API with the packed verifier, and the SDK in a loop.
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Configuration, TokenManager } from '../../packages/client/src/index.ts';
import { freePort, startServer, type TestServer } from '@mintmark/test-support/server';
import { eventually } from '@mintmark/test-support/eventually';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LIFE_S = 10;
const DEADLINE_MS = 60_000;
const SETTINGS = {
  MINTMARK_TOKEN_LIFE: String(LIFE_S),
  MINTMARK_KEY_ANNOUNCE: '2',
  MINTMARK_JWKS_MAX_AGE: '1',
  MINTMARK_API_USER_LIMIT: '10000',
};

let project: string;
let server: TestServer;
let api: ChildProcess;
let url: string;

before(async () => {
  project = mkdtempSync(join(tmpdir(), 'mintmark-marketing-api-'));
  installVerifier(project);
  for (const name of ['server.ts', 'portfolio.ts']) {
    cpSync(join(ROOT, 'examples/marketing-api', name), join(project, name));
  }
  server = await startServer({ env: SETTINGS });
  const port = await freePort();
  url = `http://localhost:${port}`;
  api = spawn(process.execPath, ['server.ts', server.url, String(port)], {
    cwd: project,
    env: { PATH: process.env['PATH'] ?? '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const text of api.stdout ?? []) if (String(text).includes('/v1/portfolio')) break;
});
after(async () => {
  const ended = once(api, 'exit');
  api.kill('SIGKILL');
  await ended;
  await server[Symbol.asyncDispose]();
  rmSync(project, { recursive: true, force: true });
});

/** Compiled as it is published, where a project has it. */
function installVerifier(folder: string): void {
  writeFileSync(join(folder, 'package.json'), '{"private":true,"type":"module"}');
  const installed = join(folder, 'node_modules/@mintmark/verifier');
  mkdirSync(installed, { recursive: true });
  cpSync(join(ROOT, 'packages/verifier/package.json'), join(installed, 'package.json'));
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const config = join(ROOT, 'packages/verifier/tsconfig.build.json');
  execFileSync(process.execPath, [tsc, '-p', config, '--outDir', join(installed, 'dist')]);
  symlinkSync(join(ROOT, 'node_modules/jose'), join(folder, 'node_modules/jose'), 'dir');
}

interface Caller {
  clientId: string;
  clientSecret: string;
}

async function createCaller(name: string, ...options: string[]): Promise<Caller> {
  const { client_id: clientId } = await server.json<{ client_id: string }>(
    'api-user',
    'create',
    '--name',
    name,
    ...options,
  );
  const { client_secret: clientSecret } = await server.json<{ client_secret: string }>(
    'credential',
    'create',
    clientId,
    '--name',
    'test',
  );
  server.noteSecret(clientSecret);
  await holds(clientId, clientSecret);
  return { clientId, clientSecret };
}

/** A change made by a command holds in the running server within one second. */
async function holds(clientId: string, clientSecret: string): Promise<void> {
  const ask = async () => (await server.post({ client_id: clientId, client_secret: clientSecret })).status;
  await eventually(async () => (await ask()) === 200, 1000, 'a new API user gets a token');
}

const managerOf = (caller: Caller) => new TokenManager(new Configuration({ host: server.url, ...caller }));

test('an API user with the audience and the scope reads its portfolio', async () => {
  const caller = await createCaller('reader', '--audience', url, '--scope', 'campaigns:read');
  const response = await managerOf(caller).fetch(`${url}/v1/portfolio`);
  assert.equal(response.status, 200);
  const body = (await response.json()) as { caller: string; advertisers: unknown[] };
  assert.equal(body.caller, caller.clientId);
  assert.equal(body.advertisers.length, 2);
});

test('the API user of the first start reads the portfolio and campaigns', async () => {
  const manager = managerOf({ clientId: server.clientId, clientSecret: server.clientSecret });
  const portfolio = await manager.fetch(`${url}/v1/portfolio`);
  assert.equal(portfolio.status, 200);
  assert.equal(((await portfolio.json()) as { caller: string }).caller, server.clientId);
  const campaign = await manager.fetch(`${url}/v1/campaigns/17`);
  assert.deepEqual(await campaign.json(), { id: 17, advertiser: '1002', impressions: 1017, clicks: 13 });
  assert.equal((await fetch(`${url}/v1/campaigns/17`)).status, 401);
  assert.equal((await manager.fetch(`${url}/v1/campaigns/x`)).status, 404);
});

test('without a token the API answers 401 and names its metadata', async () => {
  const response = await fetch(`${url}/v1/portfolio`);
  assert.equal(response.status, 401);
  const { errors } = (await response.json()) as { errors: { code: string }[] };
  assert.equal(errors[0]?.code, 'authorization-token-missing');
  const [, metadata = ''] =
    /resource_metadata="([^"]+)"/.exec(response.headers.get('www-authenticate') ?? '') ?? [];
  const { authorization_servers: issuers } = (await (await fetch(metadata)).json()) as {
    authorization_servers: string[];
  };
  assert.deepEqual(issuers, [server.url]);
});

test('a token for another API gets 401, one without scope 403', async () => {
  const elsewhere = await createCaller('elsewhere', '--audience', 'urn:other', '--scope', 'campaigns:read');
  assert.equal((await managerOf(elsewhere).fetch(`${url}/v1/portfolio`)).status, 401);
  const narrow = await createCaller('narrow', '--audience', url, '--scope', 'reports:read');
  assert.equal((await managerOf(narrow).fetch(`${url}/v1/portfolio`)).status, 403);
});

test('no call fails across token expiry, key rotation and a server restart', async () => {
  const caller = await createCaller('loop', '--audience', url, '--scope', 'campaigns:read');
  const tokens = new Set<string>();
  const keys = new Set<string>();
  const manager = managerOf(caller);
  // Before the SDK mends anything: what the API answered to each single attempt.
  const statuses = new Map<number, number>();
  const call = manager.withToken(async (input, init) => {
    const token = new Headers(init?.headers).get('authorization') ?? '';
    tokens.add(token);
    keys.add(token.split('.')[0] ?? '');
    const response = await fetch(input, init);
    statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
    return response;
  });
  const { dataDir, port } = server;
  const deadline = Date.now() + DEADLINE_MS;
  let restarted = false;
  await server.cli('signing-key', 'rotate');
  while ((tokens.size < 4 || keys.size < 2 || !restarted) && Date.now() < deadline) {
    await call(`${url}/v1/portfolio`);
    if (tokens.size === 3 && !restarted) {
      await server.stop();
      for (let i = 0; i < 20; i += 1) await call(`${url}/v1/portfolio`); // tokens are good while the issuer is away
      server = await startServer({ dataDir, port, env: SETTINGS });
      restarted = true;
    }
    await sleep(20);
  }
  assert.deepEqual([...statuses.keys()], [200]);
  assert.ok(tokens.size >= 4, `${tokens.size} tokens`);
  assert.ok(keys.size >= 2, 'the new key signed');
  assert.ok((statuses.get(200) ?? 0) > 100, `${statuses.get(200)} calls`);
});
