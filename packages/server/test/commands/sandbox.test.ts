// Test setup: own store, own limits.
// `mintmark sandbox`, as a program starts and stops it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { test } from 'node:test';
import * as openid from 'openid-client';
import { BINARY, binary } from '@mintmark/test-support/binary';
import { eventually } from '@mintmark/test-support/eventually';
import { temporaryFolder } from '@mintmark/test-support/command-line';
import { startSandboxProcess } from '@mintmark/test-support/sandbox-process';

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`a sandbox ends at once with exit code 0 on ${signal}`, async () => {
    await using sandbox = await startSandboxProcess();
    // Neither a connection that is kept open nor a delayed answer holds it up.
    await fetch(`${sandbox.control_url}/faults/next`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{"faults":[{"endpoint":"token","delay":"1 h"}]}',
    });
    const delayed = fetch(sandbox.token_url, { method: 'POST' }).then(
      () => 'answered',
      () => 'closed',
    );
    await eventually(async () => {
      const response = await fetch(`${sandbox.control_url}/requests`);
      return ((await response.json()) as { items: object[] }).items.length === 1;
    });
    assert.equal((await fetch(`${sandbox.control_url}/clock`)).status, 200);
    assert.equal((await fetch(`${sandbox.base_url}/.well-known/jwks.json`)).status, 200);
    const exit = once(sandbox.child, 'exit');
    sandbox.child.kill(signal);
    assert.deepEqual([await exit, await delayed], [[0, null], 'closed']);
  });
}

test('openid-client discovers a sandbox and gets a token that lives for seconds', async () => {
  await using sandbox = await startSandboxProcess(['--token-life', '5s', '--scope', 'a b', '--scope', 'c']);
  const { base_url: url, client_id: id, client_secret: secret } = sandbox;
  const config = await openid.discovery(new URL(url), id, undefined, openid.ClientSecretBasic(secret), {
    algorithm: 'oauth2',
    execute: [openid.allowInsecureRequests],
  });
  assert.equal(config.serverMetadata().issuer, url);
  assert.equal(config.serverMetadata().token_endpoint, sandbox.token_url);
  const token = await openid.clientCredentialsGrant(config);
  assert.deepEqual([token.expires_in, token.scope], [5, 'a b c']);
  assert.deepEqual(sandbox.scopes, ['a', 'b', 'c']);
});

test('a sandbox ignores settings for store, host and issuer, and writes nothing', async () => {
  const folder = temporaryFolder();
  const env = {
    DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
    REDIS_URL: 'redis://127.0.0.1:1',
    MINTMARK_HOST: '0.0.0.0',
    MINTMARK_ISSUER: 'https://auth.example.com/marketing',
    MINTMARK_DATA_DIR: folder,
    MINTMARK_SIGNING_ALGORITHM: 'EdDSA',
  };
  await using sandbox = await startSandboxProcess([], env);
  const port = new URL(sandbox.base_url).port;
  assert.equal(sandbox.base_url, `http://127.0.0.1:${port}/mintmark-sandbox/marketing`);
  const response = await fetch(`${sandbox.base_url}/.well-known/jwks.json`);
  const { keys } = (await response.json()) as { keys: { alg: string }[] };
  assert.deepEqual(
    keys.map(({ alg }) => alg),
    ['EdDSA'],
  );
  assert.deepEqual(readdirSync(folder), []);
  rmSync(folder, { recursive: true });
});

test('a person sees id, secret, a curl line and the control API', async () => {
  const args = [BINARY, 'sandbox', '--port', '0', '--control-port', '0'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    if (out.includes('is ready')) child.kill('SIGINT');
  });
  assert.deepEqual(await once(child, 'close'), [0, null]);
  assert.match(out, /client_id {6}api_\w+\n {2}client_secret {2}mms_\w+\n/);
  assert.match(
    out,
    /curl -d client_id=api_\w+ -d client_secret=mms_\w+ http:\/\/127\.0\.0\.1:\d+\/mintmark-sandbox\//,
  );
  assert.match(out, /http:\/\/127\.0\.0\.1:\d+\/v1\n/);
  assert.match(
    out,
    /mintmark sandbox is ready: POST http:\/\/127\.0\.0\.1:\d+\/mintmark-sandbox\/marketing\/oauth2\/token\n$/,
  );
});

test('a port in use is refused with the option that helps', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const port = String((server.address() as AddressInfo).port);
  for (const [option, other] of [
    ['--port', '--control-port'],
    ['--control-port', '--port'],
  ] as const) {
    const { code, out, err } = await binary(['sandbox', option, port, other, '0']);
    assert.deepEqual([code, out], [3, '']);
    assert.match(err, new RegExp(`^mintmark: .*[Pp]ort ${port} .*choose another with ${option}\\.\n$`));
  }
  server.close();
});

test('wrong options are refused with what is allowed', async () => {
  const wrong: [string[], RegExp][] = [
    [['--port', '65536'], /Give a port from 0 to 65535/],
    [['--control-port', 'x'], /Give a whole number/],
    [['--token-life', '0'], /Give whole seconds from 1s to 24h/],
    [['--token-life', '500ms'], /Give whole seconds/],
    [['--token-life', '25h'], /Give whole seconds/],
    [['--token-life', '5'], /Give a number with a unit/],
    [['--signing-algorithm', 'HS256'], /one of ES256, EdDSA, RS256/],
    [['--host', '0.0.0.0'], /unknown option '--host'/],
    [['extra'], /too many arguments/],
  ];
  for (const [args, expected] of wrong) {
    const { code, out, err } = await binary(['sandbox', ...args]);
    assert.deepEqual([code, out], [2, ''], args.join(' '));
    assert.match(err, expected);
  }
  const scope = await binary(['sandbox', '--port', '0', '--control-port', '0', '--scope', 'a"b']);
  assert.equal(scope.code, 3);
  assert.match(scope.err, /a\\?"b/);
});
