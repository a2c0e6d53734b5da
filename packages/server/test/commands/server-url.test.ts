// The URL in every line and link that a command prints is the one that the server answers at.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually } from '@mintmark/test-support/eventually';
import { freePort, mintmark, startServer, type TestServer } from '@mintmark/test-support/server';
import { testStore } from '@mintmark/test-support/command-line';
import { onPostgres } from '@mintmark/test-support/store-under-test';

let server: TestServer;
before(async () => {
  server = await startServer({ env: { MINTMARK_BASE_PATH: '/tokens' } });
});
after(async () => await server[Symbol.asyncDispose]());

/** Runs a command with nothing but the store in its environment; resolves to all that it printed. */
async function printed(args: string[], env: Record<string, string> = {}): Promise<string> {
  const { code, out, err } = await mintmark(args, { env: { MINTMARK_DATA_DIR: server.dataDir, ...env } });
  assert.equal(code, 0, err);
  for (const [secret] of (out + err).matchAll(/\bmm[si]_\w+/g)) server.noteSecret(secret);
  return out + err;
}

const urlIn = (text: string) => /https?:\/\/\S+/.exec(text)?.[0];

test('each printed curl line has the URL that the running server answers at', async () => {
  const expected = `http://localhost:${server.port}/tokens/oauth2/token`;
  assert.equal(urlIn(server.output()), expected);
  const created = await printed(['api-user', 'create', '--name', 'Importer']);
  const [, clientId = ''] = /client_id +(\S+)/.exec(created) ?? [];
  for (const text of [
    created,
    await printed(['credential', 'create', clientId]),
    await printed(['credential', 'reset', clientId]),
  ]) {
    assert.equal(urlIn(text), expected);
    const [, id = '', secret = ''] = /-d client_id=(\S+) -d client_secret=(\S+)/.exec(text) ?? [];
    const body = new URLSearchParams({ client_id: id, client_secret: secret });
    await eventually(async () => {
      assert.equal((await fetch(expected, { method: 'POST', body })).status, 200);
    });
  }
});

test('each link for an operator has the URL that the running server answers at', async () => {
  const email = 'ada@example.com';
  for (const args of [
    ['create', '--email', email, '--role', 'admin'],
    ['invite', email],
    ['reset', email],
  ]) {
    const url = urlIn(await printed(['operator', ...args])) ?? '';
    assert.ok(url.startsWith(`http://localhost:${server.port}/console/`), url);
    assert.equal((await fetch(url)).status, 200);
  }
});

test('settings that are given to a command beat the URL of the server', async () => {
  const create = (flags: string[], env: Record<string, string> = {}) =>
    printed(['api-user', 'create', '--name', 'Importer', ...flags], env);
  const cases: [string[], Record<string, string>, string][] = [
    [['--issuer', 'https://api.example.com/marketing'], {}, 'https://api.example.com/marketing'],
    [[], { MINTMARK_ISSUER: 'https://api.example.com/m' }, 'https://api.example.com/m'],
    [['--port', '9123'], {}, 'http://localhost:9123/marketing'],
    [[], { MINTMARK_PORT: '9124' }, 'http://localhost:9124/marketing'],
    [['--host', '192.0.2.7'], {}, 'http://192.0.2.7:8080/marketing'],
    [[], { MINTMARK_PORT: '0' }, `http://localhost:${server.port}/tokens`],
    [[], { MINTMARK_HOST: '0.0.0.0' }, `http://localhost:${server.port}/tokens`],
  ];
  for (const [flags, env, issuer] of cases) {
    assert.equal(urlIn(await create(flags, env)), `${issuer}/oauth2/token`, JSON.stringify([flags, env]));
  }
});

test('a server on another port is known to commands from its start on', async () => {
  const { dataDir } = server;
  await server.stop();
  const port = await freePort();
  server = await startServer({ dataDir, port });
  const text = await printed(['api-user', 'create', '--name', 'Importer']);
  assert.equal(urlIn(text), `http://localhost:${port}/marketing/oauth2/token`);
});

test('on a store without a server the URL is that of the settings', async (t) => {
  if (onPostgres) return t.skip('the store of the file is a SQLite file');
  using store = await testStore();
  const { err } = await store.run(['api-user', 'create', '--name', 'Importer']);
  assert.equal(urlIn(err), 'http://localhost:8080/marketing/oauth2/token');
});

test('mintmark token asks the server that the settings name', async () => {
  const made = await server.json<Record<string, string>>('api-user', 'create', '--name', 'Importer');
  const { client_id: id = '', client_secret: secret = '' } = made;
  server.noteSecret(secret);
  const credentials = { MINTMARK_CLIENT_ID: id, MINTMARK_CLIENT_SECRET: secret };
  for (const env of [{ MINTMARK_PORT: String(server.port) }, { MINTMARK_ISSUER: server.url }]) {
    // What a command changes holds in a running server within a second.
    await eventually(async () => {
      const { code, out, err } = await mintmark(['token'], { env: { ...credentials, ...env } });
      assert.equal(code, 0, err);
      server.noteSecret(out.trim());
      assert.match(out, /^eyJ/);
    });
  }
});
