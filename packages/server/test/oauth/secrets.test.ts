import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../src/config/load-config.ts';
import { inspect } from 'node:util';
import { randomBase62 } from '../../src/lib/random.ts';
import { generateSecret } from '../../src/domain/secret.ts';
import { createMasterKey } from '../../src/storage/master-key.ts';
import { createKeyring } from '../../src/runtime/signing-keys.ts';
import { createFirstSigningKey } from '../../src/admin/signing-key.ts';
import { mintmark, startServer, type TestServer } from '@mintmark/test-support/server';
import { temporaryStore } from '@mintmark/test-support/temporary-store';

const PASSWORD = 'correct horse battery staple';

/** A text in each form in which it could be written down by accident. */
function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  // Inside a longer text, base64 comes out in one of three ways: compare the part that does not touch the ends.
  const inBase64 = [0, 1, 2].flatMap((before) => {
    const shifted = Buffer.concat([Buffer.alloc(before), bytes]);
    const from = before === 0 ? 0 : 4;
    const to = Math.floor(shifted.length / 3) * 4;
    return (['base64', 'base64url'] as const).map((encoding) => shifted.toString(encoding).slice(from, to));
  });
  const random = secret.startsWith('mms_') ? [secret.slice(15, 58)] : [];
  const encoded = [encodeURIComponent(secret), new URLSearchParams({ s: secret }).toString().slice(2)];
  return [secret, ...random, ...encoded, bytes.toString('hex'), ...inBase64];
}

function assertNowhereInAnyForm(secrets: Iterable<string>, places: readonly [string, Buffer][]): void {
  for (const secret of secrets) {
    for (const form of formsOf(secret)) {
      for (const [place, bytes] of places) {
        const at = bytes.indexOf(form);
        const before = bytes.subarray(Math.max(0, at - 60), Math.max(0, at)).toString('latin1');
        assert.ok(at < 0, `${secret.slice(0, 6)}… is in ${place} as ${form.slice(0, 8)}…, after "${before}"`);
      }
    }
  }
}

interface Met {
  /** Everything that may be nowhere. */
  secrets: Set<string>;
  /** Bodies of refused requests, and what commands printed that must not show a secret. */
  texts: string[];
}

test('secrets, passwords and tokens are in no log, error or database', async () => {
  const masterKey = Buffer.from(randomBase62(32)).toString('hex');
  await using server = await startServer({
    env: { MINTMARK_LOG_LEVEL: 'trace', MINTMARK_MASTER_KEY: masterKey, MINTMARK_USAGE_FLUSH: '100' },
  });
  const met: Met = { secrets: new Set([server.clientSecret, masterKey, PASSWORD]), texts: [] };
  await goodRequests(server, met);
  await badRequests(server, met);
  await malformedHttp(server, met);
  await commands(server, met);
  await server.stop();

  const log = server
    .output()
    .replaceAll(/client_secret {2}\S+|client_secret=\S+/g, '(shown once, on purpose)');
  const places: [string, Buffer][] = [
    ['what the server printed', Buffer.from(log)],
    ['an answer', Buffer.from(met.texts.join('\n'))],
    ...readdirSync(server.dataDir).map((file): [string, Buffer] => [
      file,
      readFileSync(join(server.dataDir, file)),
    ]),
  ];
  assert.ok(log.includes('request refused'), 'the log was written');
  assertNowhereInAnyForm(met.secrets, places);
});

test('the search finds a planted secret in any of its forms', () => {
  const { secret } = generateSecret();
  const written = [
    `user=${secret}`,
    `Authorization: Basic ${Buffer.from(`api_x:${secret}`).toString('base64')}`,
    `Authorization: Basic ${Buffer.from(`api_xy:${secret}`).toString('base64')}`,
    `Authorization: Basic ${Buffer.from(`api_xyz:${secret}`).toString('base64')}`,
    inspect({ secret }),
    Buffer.from(secret).toString('hex'),
  ];
  for (const line of written) {
    assert.throws(() => assertNowhereInAnyForm([secret], [['the log', Buffer.from(line)]]), /is in the log/);
  }
});

async function goodRequests(server: TestServer, { secrets }: Met): Promise<void> {
  const { clientId: client_id, clientSecret: client_secret } = server;
  await server.cli('api-user', 'update', client_id, '--username', 'importer@example.com');
  const password = await mintmark(['credential', 'create', client_id, '--password-stdin'], {
    env: { MINTMARK_DATA_DIR: server.dataDir },
    stdin: `${PASSWORD}\n`,
  });
  assert.equal(password.code, 0, password.err);
  const basic = `Basic ${Buffer.from(`${client_id}:${client_secret}`).toString('base64')}`;
  const answers = [
    await server.post({ client_id, client_secret }),
    await server.post('', { authorization: basic }),
    await untilKnown(() => server.post({ client_id: 'importer@example.com', client_secret: PASSWORD })),
  ];
  for (const { status, body } of answers) {
    assert.equal(status, 200);
    secrets.add(String(body['access_token']));
    secrets.add(String(body['access_token']).split('.')[2] ?? '');
  }
  await aboutTokens(
    server,
    answers.map(({ body }) => String(body['access_token'])),
  );
}

/** Each token is asked about and revoked: by who may not, with a secret that is wrong, and rightly. */
async function aboutTokens(server: TestServer, tokens: string[]): Promise<void> {
  const { clientId: client_id, clientSecret: client_secret } = server;
  for (const token of tokens) {
    for (const secret of [`${client_secret}x`, client_secret]) {
      for (const [path, form] of [
        ['introspect', { token }],
        ['introspect', { token: `${token}x` }],
        ['revoke', { token: `${token}x` }],
        ['revoke', { token, token_type_hint: token }],
      ] as const) {
        const body = new URLSearchParams({ client_id, client_secret: secret, ...form });
        const { status } = await fetch(`${server.url}/oauth2/${path}`, { method: 'POST', body });
        assert.equal(status, secret === client_secret && path === 'revoke' ? 200 : 403);
      }
    }
  }
}

async function untilKnown(ask: () => ReturnType<TestServer['post']>): ReturnType<TestServer['post']> {
  const deadline = Date.now() + 5000;
  for (;;) {
    const answer = await ask();
    if (answer.status === 200 || Date.now() > deadline) return answer;
  }
}

async function badRequests(server: TestServer, met: Met): Promise<void> {
  const { clientId, clientSecret: real } = server;
  const wrong = generateSecret().secret;
  const typo = `${real.slice(0, -1)}${real.endsWith('0') ? '1' : '0'}`;
  for (const secret of [wrong, typo]) met.secrets.add(secret);
  const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });
  const json = { 'content-type': 'application/json' };
  const forms: [string, Record<string, string>?][] = [
    [`client_id=${real}&client_secret=${clientId}`],
    [`client_id=${wrong}&client_secret=${wrong}`],
    [`client_id=${clientId}&client_secret=${wrong}`],
    [`client_id=${clientId}&client_secret=${typo}`],
    [`client_id=${clientId}&client_secret=${PASSWORD}!`],
    [`client_id=${clientId}&client_secret=${real}&scope=${real}`],
    [`client_id=${clientId}&client_secret=${real}&resource=https://a/${real}`],
    [`client_id=${clientId}&client_secret=${real}&grant_type=${real}`],
    [`client_id=${clientId}&client_secret=${real}&client_secret=${real}`],
    [`client_id=${clientId}&client_secret=${real}%zz`],
    [`client_id=${clientId}&client_secret=${real}%00`],
    [`${real}=1&${real}=2`],
    [`client_secret=${real}`],
    [JSON.stringify({ client_id: clientId, client_secret: real }), json],
    [`{"client_secret":"${real}"`, json],
    [`client_id=${clientId}&client_secret=${real}`, { 'content-type': 'text/plain' }],
    [`client_id=${clientId}&client_secret=${real}`, { 'content-encoding': 'gzip' }],
    [`client_id=${clientId}&client_secret=${real}&pad=${'x'.repeat(9000)}`],
    [`client_secret=${real}`, basic(`${clientId}:${real}`)],
    ['', basic(`${real}:${real}`)],
    ['', basic(`${clientId}:${wrong}`)],
    ['', basic(`${clientId}${real}`)],
    ['', { authorization: `Basic ${real}` }],
    ['', { authorization: `Bearer ${real}` }],
    [
      '',
      { ...basic(`${clientId}:${wrong}`), traceparent: real, 'x-request-id': real, 'x-forwarded-for': real },
    ],
    ...Array.from({ length: 25 }, (): [string] => [`client_id=limited&client_secret=${wrong}`]),
  ];
  for (const [form, headers] of forms) {
    const { status, text } = await server.post(form, headers);
    assert.ok(status >= 400 && status < 500, `${status} for ${form}`);
    met.texts.push(text);
  }
  const { origin } = new URL(server.url);
  const urls = [
    `${server.url}/oauth2/token?client_id=${clientId}&client_secret=${real}`,
    `${server.url}/oauth2/${real}?client_secret=${real}`,
    `${origin}/%${real}`,
    `${origin}/readyz?${real}`,
  ];
  for (const url of urls) {
    for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS']) {
      const headers = { ...json, authorization: `Bearer ${real}` };
      const body = method === 'GET' ? null : `{"client_secret":"${real}`;
      const response = await fetch(url, { method, headers, body });
      met.texts.push(await response.text(), inspect(Array.from(response.headers)));
    }
  }
}

/** What the HTTP parser refuses, and a client that goes away in the middle. */
async function malformedHttp({ port, clientSecret }: TestServer, { texts }: Met): Promise<void> {
  const post = 'POST /marketing/oauth2/token HTTP/1.1\r\nHost: a\r\n';
  const requests = [
    `${clientSecret}\r\n\r\n`,
    `POST /${clientSecret} ${clientSecret}\r\n\r\n`,
    `${post}${clientSecret}\r\n\r\n`,
    `${post}X: ${clientSecret}${'x'.repeat(20_000)}\r\n\r\n`,
    `${post}Transfer-Encoding: chunked\r\n\r\n${clientSecret}\r\n`,
    `${post}Content-Length: 500\r\n\r\nclient_secret=${clientSecret}`,
  ];
  for (const request of requests) {
    texts.push(
      await new Promise((resolve) => {
        let answer = '';
        const socket = connect(port, '127.0.0.1', () => socket.write(request));
        socket.setTimeout(300, () => socket.destroy());
        socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
        socket.on('error', () => undefined);
        socket.on('close', () => resolve(answer));
      }),
    );
  }
}

/** With secrets where they do not belong, as people put them. */
async function commands({ clientSecret, clientId, dataDir, url }: TestServer, met: Met): Promise<void> {
  const settings = { MINTMARK_DATA_DIR: dataDir };
  const run = async (args: string[], env: Record<string, string> = {}, stdin = '') => {
    const { out, err } = await mintmark(args, { env: { ...settings, ...env }, stdin });
    met.texts.push(out, err);
  };
  await run(['api-user', 'show', clientSecret]);
  await run(['credential', 'list', clientSecret]);
  await run(['credential', 'retire', clientSecret]);
  await run(['credential', 'create', clientSecret]);
  await run(['credential', 'list', clientId]);
  await run(['credential', 'list', clientId, '--json']);
  await run(['signing-key', 'list', '--all', '--json']);
  await run(['doctor']);
  await run(['api-user', 'list', `--limit=${clientSecret}`]);
  await run(['token', clientSecret]);
  await run([clientSecret]);
  await run(['token', `--client-secret=${clientSecret}`]);
  await run(['secret', 'check'], {}, `${clientSecret}x\n`);
  await run(['token', '--url', url, '--client-id', clientSecret], { MINTMARK_CLIENT_SECRET: clientSecret });
  await run(
    ['token', '--url', 'http://localhost:1', '--client-id', clientId, '--secret-stdin'],
    {},
    PASSWORD,
  );
  await run(['credential', 'create', clientId, '--password-stdin'], {}, `${clientSecret}\n`);
  await run(['doctor'], { MINTMARK_MASTER_KEY: clientSecret });
  await run(['credential', 'create', clientId, '--expires-in', clientSecret]);
}

test('the master key and private signing keys reveal nothing when inspected', async () => {
  await using opened = await temporaryStore();
  const { store, config } = opened;
  const masterKey = createMasterKey(config);
  await store.write((transaction) => createFirstSigningKey(transaction, masterKey, 'ES256', Date.now()));
  const keyring = createKeyring(store, masterKey, { error: assert.fail });
  await keyring.reload();
  const hex = readFileSync(config.masterKeyFile, 'utf8').trim();
  const [key] = await store.signingKeys.list();
  const privateDer = masterKey.unseal(key?.sealedPrivateKey ?? '', key?.kid ?? '');
  const shown = inspect([masterKey, keyring, key, keyring.signer(Date.now())], {
    depth: null,
    showHidden: true,
  });
  const json = JSON.stringify([masterKey, keyring, key]);
  for (const text of [shown, json, keyring.jwks(Date.now()).body]) {
    for (const secret of [
      hex,
      Buffer.from(hex, 'hex').toString('base64'),
      privateDer.toString('base64url'),
    ]) {
      assert.ok(!text.includes(secret));
    }
    assert.ok(!/"d":/.test(text));
  }
});

test('a configuration with a master key never prints it', () => {
  const key = 'ab'.repeat(32);
  const config = loadConfig({ MINTMARK_MASTER_KEY: key });
  for (const shown of [
    inspect(config, { depth: 9, showHidden: true }),
    JSON.stringify(config),
    String(config.masterKey),
  ]) {
    assert.ok(!shown.includes(key));
    assert.match(shown, /redacted/i);
  }
});
