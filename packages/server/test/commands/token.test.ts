import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { generateSecret } from '../../src/domain/secret.ts';
import { freePort, mintmark, startServer, type TestServer } from '@mintmark/test-support/server';
import { eventually } from '@mintmark/test-support/eventually';

let server: TestServer;
let env: Record<string, string>;

before(async () => {
  server = await startServer();
  env = { MINTMARK_CLIENT_ID: server.clientId, MINTMARK_CLIENT_SECRET: server.clientSecret };
});

after(async () => {
  await server[Symbol.asyncDispose]();
});

function claims(token: string): Record<string, unknown> {
  server.noteSecret(token.trim());
  const [, payload = ''] = token.split('.');
  return JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
}

test('mintmark token prints the token alone, with form and Basic, from the environment and from standard input', async () => {
  for (const way of [[], ['--basic']]) {
    const { code, out, err } = await mintmark(['token', '--url', server.url, ...way], { env });
    assert.equal(code, 0, err);
    assert.match(out, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    assert.equal(err, '');
    assert.equal(claims(out)['sub'], server.clientId);

    const typed = [
      'token',
      '--url',
      `${server.url}/`,
      '--client-id',
      server.clientId,
      '--secret-stdin',
      ...way,
    ];
    const fromStdin = await mintmark(typed, {
      env: { MINTMARK_CLIENT_SECRET: 'not this one' },
      stdin: `${server.clientSecret}\n`,
    });
    assert.equal(fromStdin.code, 0, fromStdin.err);
    claims(fromStdin.out);
  }
});

test('mintmark token --json prints the whole response, for scope and resource as asked', async () => {
  const asked = [
    'token',
    '--url',
    server.url,
    '--scope',
    'campaigns:read',
    '--resource',
    server.url,
    '--json',
  ];
  const { code, out } = await mintmark(asked, { env });
  assert.equal(code, 0);
  const body = JSON.parse(out) as Record<string, unknown>;
  assert.equal(body['token_type'], 'Bearer');
  assert.equal(body['expires_in'], 900);
  const { aud, scope } = claims(String(body['access_token']));
  assert.deepEqual([aud, scope], [server.url, 'campaigns:read']);
});

test('a refusal has exit code 6 and quotes status, error, description and trace id, and no secret', async () => {
  const { secret } = generateSecret();
  const refusals: [string[], RegExp][] = [
    [[], /^mintmark: 403 invalid_client: .+ \(trace id [0-9a-f-]+\)\n$/],
    [['--basic'], /^mintmark: 401 invalid_client: .+ \(trace id [0-9a-f-]+\)\n$/],
  ];
  for (const [way, expected] of refusals) {
    const wrong = await mintmark(['token', '--url', server.url, ...way], {
      env: { ...env, MINTMARK_CLIENT_SECRET: secret },
    });
    assert.equal(wrong.code, 6);
    assert.equal(wrong.out, '');
    assert.match(wrong.err, expected);
    assert.ok(!wrong.err.includes(secret));
  }
  const scope = await mintmark(['token', '--url', server.url, '--scope', 'other'], { env });
  assert.equal(scope.code, 6);
  assert.match(scope.err, /^mintmark: 400 invalid_scope: /);
  const asJson = await mintmark(['token', '--url', server.url, '--resource', 'https://other', '--json'], {
    env,
  });
  assert.equal(asJson.code, 6);
  assert.equal((JSON.parse(asJson.out) as { error: string }).error, 'invalid_target');
});

test('a limit that is reached is said with the time to wait', async () => {
  const { client_id, client_secret } = await server.json<Record<string, string>>(
    'api-user',
    'create',
    '--name',
    'slow',
    '--limit',
    '1',
  );
  const own = { MINTMARK_CLIENT_ID: client_id ?? '', MINTMARK_CLIENT_SECRET: client_secret ?? '' };
  await eventually(
    async () => {
      const first = await mintmark(['token', '--url', server.url], { env: own });
      if (first.code === 0) claims(first.out);
      return first.code === 0;
    },
    10_000,
    'the new API user gets its one token',
  );
  const { code, err } = await mintmark(['token', '--url', server.url], { env: own });
  assert.equal(code, 6);
  assert.match(err, /^mintmark: 429 rate_limit_exceeded: .* Retry after \d+ s\. \(trace id/);
});

test('a server that is not there, or is another, has exit code 6 and what to look at', async () => {
  const nowhere = `http://127.0.0.1:${await freePort()}/marketing`;
  const gone = await mintmark(['token', '--url', nowhere], { env });
  assert.equal(gone.code, 6);
  assert.match(gone.err, /cannot be reached \(.+\): is the server running, and is --url right\?\n$/);
  assert.ok(gone.err.startsWith(`mintmark: ${nowhere}/oauth2/token`));

  const unparsable = await mintmark(['token', '--url', 'not a url'], { env });
  assert.equal(unparsable.code, 6);
  assert.doesNotMatch(unparsable.err, /\.ts:/);

  await withOther(
    (_, response) => response.end('<html>'),
    async (url) => {
      const html = await mintmark(['token', '--url', url], { env });
      assert.equal(html.code, 6);
      assert.match(html.err, /answered 200 with a body that is not JSON: is --url right\?/);
    },
  );
  await withOther(
    (_, response) => response.end('{"hello":1}'),
    async (url) => {
      const other = await mintmark(['token', '--url', url], { env });
      assert.equal(other.code, 6);
      assert.match(other.err, /answered 200 without an access token: is --url right\?/);
      assert.equal(other.out, '');
    },
  );
  await withOther(
    (_, response) => response.writeHead(404).end('{"detail":"nothing here"}'),
    async (url) => {
      const other = await mintmark(['token', '--url', url], { env });
      assert.equal(other.code, 6);
      assert.match(other.err, /answered 404 without an OAuth error: is --url right\?/);
    },
  );
});

test('mintmark token sends no secret by plain HTTP to another host', async () => {
  const elsewhere = ['token', '--url', 'http://192.0.2.1/marketing'];
  const { code, err } = await mintmark(elsewhere, { env });
  assert.equal(code, 3);
  assert.match(err, /http:\/\/192\.0\.2\.1 .*plain HTTP.*--allow-insecure/);
});

test('mintmark token escapes control characters of what a server says', async () => {
  const error = { error: 'invalid\u001b[31m', error_description: 'two\nlines\u0085' };
  await withOther(
    (_, response) => response.writeHead(400).end(JSON.stringify(error)),
    async (url) => {
      const { err } = await mintmark(['token', '--url', url], { env });
      assert.match(err, /invalid\\u001b\[31m: two\\nlines\\u0085/);
    },
  );
});

async function withOther(answer: RequestListener, work: (url: string) => Promise<void>): Promise<void> {
  const other = createServer(answer);
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  try {
    await work(`http://127.0.0.1:${(other.address() as AddressInfo).port}`);
  } finally {
    other.closeAllConnections();
    await new Promise((resolve) => other.close(resolve));
  }
}

test('secret check knows a whole secret, and names its key id', async () => {
  const { keyId, secret } = generateSecret();
  for (const stdin of [secret, `${secret}\n`, `  ${secret}  \r\nmore\n`]) {
    const { code, out, err } = await mintmark(['secret', 'check'], { stdin });
    assert.equal(code, 0);
    assert.equal(out, `A well-formed Mintmark secret with key id ${keyId}.\n`);
    assert.equal(err, '');
  }
  const { out } = await mintmark(['secret', 'check', '--json'], { stdin: secret });
  assert.deepEqual(JSON.parse(out), { valid: true, key_id: keyId, problem: null });
});

test('secret check says what is wrong with another text, and quotes none of it', async () => {
  const { secret } = generateSecret();
  const typo = secret.slice(0, 20) + (secret[20] === 'a' ? 'b' : 'a') + secret.slice(21);
  const wrong: [string, RegExp][] = [
    [typo, /its checksum is wrong: a character was changed or lost on the way/],
    [secret.slice(0, -1), /it has 63 characters where a secret has 64/],
    [`${secret.slice(0, 30)}+${secret.slice(31)}`, /it holds a character that no secret has/],
    ['correct horse battery staple', /it does not begin with mms_/],
    ['', /it does not begin with mms_/],
  ];
  for (const [text, expected] of wrong) {
    const { code, out, err } = await mintmark(['secret', 'check'], { stdin: text });
    assert.equal(code, 6);
    assert.equal(out, '');
    assert.match(err, /^mintmark: This is not a Mintmark secret: /);
    assert.match(err, expected);
    if (text !== '') assert.ok(!err.includes(text.slice(4)));
    const asJson = await mintmark(['secret', 'check', '--json'], { stdin: text });
    assert.equal(asJson.code, 6);
    const body = JSON.parse(asJson.out) as Record<string, unknown>;
    assert.deepEqual(Object.keys(body), ['valid', 'key_id', 'problem']);
    assert.equal(body['valid'], false);
    assert.match(String(body['problem']), expected);
  }
});
