// Test setup: Redis.
// Runs each example as a user does: copied into a project with the packed package.
import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readdir, readFile, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { FaultServer } from '../packages/client/test/support/fault-server.ts';
import { json, plain, startFaultServer } from '../packages/client/test/support/fault-server.ts';
import type { PackedClient } from '../packages/client/test/support/packed.ts';
import { modules, output, packClient } from '../packages/client/test/support/packed.ts';
import { freePort, startServer, type TestServer } from '@mintmark/test-support/server';

const here = dirname(fileURLToPath(import.meta.url));
let packed: PackedClient;
let server: TestServer;
let api: FaultServer;
let env: Record<string, string>;

before(async () => {
  [packed, server] = await Promise.all([packClient(), startServer({ env: { MINTMARK_TOKEN_LIFE: '10' } })]);
  api = await startFaultServer(json(200, [{ id: 1, name: 'spring' }]));
  env = {
    MINTMARK_CLIENT_ID: server.clientId,
    MINTMARK_CLIENT_SECRET: server.clientSecret,
    NODE_NO_WARNINGS: '1',
  };
  for (const name of ['quickstart', 'long-import', 'fleet-files', 'fleet-redis', 'redis-store']) {
    await cp(join(here, `${name}.ts`), join(packed.project, `${name}.ts`));
  }
  await packed.write('package.json', '{"private":true,"type":"module"}');
  await mkdir(join(packed.project, 'node_modules/@redis'), { recursive: true });
  await symlink(join(modules, '@redis/client'), join(packed.project, 'node_modules/@redis/client'), 'dir');
});
after(async () => {
  await api.close();
  await packed[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

const run = (name: string, ...args: string[]) =>
  output(process.execPath, [join(packed.project, `${name}.ts`), ...args], packed.project, env);

test('each example has an npm script of its name', async () => {
  const { scripts } = JSON.parse(await readFile(join(here, '../package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const programs = (await readdir(here)).filter(
    (name) => /^[a-z-]+\.ts$/.test(name) && name !== 'redis-store.ts',
  );
  assert.ok(programs.length >= 4);
  for (const name of [...programs, 'marketing-api.ts']) {
    const script = name.replace('.ts', '');
    assert.equal(scripts[script], `node scripts/run.mjs ${script}`);
  }
});

test('the quickstart prints the data of an API call', async () => {
  api.requests.length = 0;
  const printed = await run('quickstart', server.url, `${api.origin}/v1/portfolio`);
  assert.match(printed, /name: 'spring'/);
  assert.match(api.requests[0]?.headers.authorization ?? '', /^Bearer eyJ/);
});

test('the quickstart shows a refusal and ends with exit code 1', async () => {
  api.fallback(json(403, { errors: [{ code: 'insufficient_scope' }] }));
  await assert.rejects(
    run('quickstart', server.url, `${api.origin}/v1/portfolio`),
    /answered 403.*insufficient_scope/s,
  );
  api.fallback(json(200, [{ id: 1, name: 'spring' }]));
});

test('the long import survives token expiry and faults, and imports every item', async () => {
  api.requests.length = 0;
  const items = new Set<string>();
  let calls = 0;
  api.fallback((response, request, raw) => {
    calls += 1;
    if (calls === 10) return plain(500, 'oops')(response, request, raw);
    if (calls === 20) return void raw.socket.destroy();
    items.add(request.url);
    // Slow enough that the 300 items take longer than a token lives.
    setTimeout(() => json(200, {})(response), 160);
  });
  const printed = await run('long-import', server.url, api.origin, '300');
  api.fallback(json(200, [{ id: 1, name: 'spring' }]));
  assert.match(printed, /imported 300 items/);
  assert.equal(items.size, 300);
  assert.ok(printed.split('new token').length - 1 >= 2, printed);
  assert.match(printed, /call: 500, again in/);
  assert.doesNotMatch(printed, /eyJ/);
});

test('the long import with a wrong secret explains itself, exit code 1', async () => {
  env['MINTMARK_CLIENT_SECRET'] = 'wrong';
  await assert.rejects(run('long-import', server.url, api.origin, '1'), /credentials do not work.*request/s);
  env['MINTMARK_CLIENT_SECRET'] = server.clientSecret;
});

/** Starts several processes of an example; returns the number of tokens that the server issued. */
async function tokensForFleet(name: string, ...args: string[]): Promise<number> {
  let requests = 0;
  await using proxy = await startFaultServer((response, request) => {
    requests += 1;
    void server.post(request.body).then(({ status, body }) => json(status, body)(response));
  });
  const outputs = await Promise.all(
    Array.from({ length: 5 }, () => run(name, `${proxy.origin}/marketing`, ...args)),
  );
  for (const printed of outputs) assert.match(printed, /^process \d+ has a token of \d+ characters\n$/);
  return requests;
}

test('a fleet on the file store causes one token request', async () => {
  assert.equal(await tokensForFleet('fleet-files', join(packed.project, 'tokens')), 1);
});

/** Starts a Redis; undefined if the machine has none. */
async function startRedis(): Promise<{ process: ChildProcess; url: string } | undefined> {
  const found = await new Promise((resolve) => {
    execFile('redis-server', ['--version'], (error) => resolve(error === null));
  });
  if (found !== true) return undefined;
  const port = await freePort();
  const args = ['--port', String(port), '--save', '', '--bind', '127.0.0.1', '--dir', packed.project];
  const redis = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const text of redis.stdout) if (String(text).includes('Ready to accept')) break;
  redis.stdout.resume();
  return { process: redis, url: `redis://127.0.0.1:${port}` };
}

test('a fleet on Redis causes one token request', async (t) => {
  const redis = await startRedis();
  if (!redis) {
    console.error(
      'NOT TESTED on Redis: there is no redis-server on this machine (apt-get install redis-server)',
    );
    return t.skip('no redis-server');
  }
  try {
    env['REDIS_URL'] = redis.url;
    assert.equal(await tokensForFleet('fleet-redis'), 1);
  } finally {
    const ended = once(redis.process, 'exit');
    redis.process.kill();
    await ended;
  }
});
