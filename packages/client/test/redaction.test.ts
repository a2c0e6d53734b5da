import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { AuthenticationApi, Configuration, TokenManager, TokenManagerPool } from '../src/index.ts';
import { scrubber } from '../src/redaction.ts';
import { awkwardSecrets, configure } from './support/credentials.ts';
import type { Answer } from './support/fault-server.ts';
import { json, plain, startFaultServer, token } from './support/fault-server.ts';

/** Every usual way in which an object ends up in a log. */
function printed(value: unknown): string {
  const seen = new Set<unknown>();
  const all: string[] = [];
  const add = (thing: unknown) => {
    if (seen.has(thing)) return;
    seen.add(thing);
    for (const options of [
      {},
      { depth: 10 },
      { showHidden: true, depth: 10 },
      { customInspect: false, depth: 10 },
    ]) {
      all.push(inspect(thing, { ...options, breakLength: Infinity, maxStringLength: Infinity }));
    }
    all.push(inspect(thing, { customInspect: false, showHidden: true, depth: 10, getters: false }));
    all.push(JSON.stringify(thing) ?? '', String(thing), JSON.stringify({ nested: [thing] }));
    if (typeof thing === 'object' && thing !== null)
      all.push(JSON.stringify({ ...thing }), inspect({ ...thing }));
    if (thing instanceof Error) {
      all.push(thing.message, thing.stack ?? '');
      add(thing.cause);
    }
  };
  add(value);
  return all.join('\n');
}

const secret = 'p4ss+wörd & "quotes"/=% 🔑';
const accessToken = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhcGkifQ.c2lnbmF0dXJl';

function assertClean(value: unknown, what: string): void {
  const text = printed(value);
  for (const leak of [secret, encodeURIComponent(secret), 'p4ss', accessToken, 'c2lnbmF0dXJl']) {
    assert.ok(
      !text.includes(leak),
      `${what} shows ${leak}: ${text.slice(Math.max(0, text.indexOf(leak) - 200))}`,
    );
  }
}

test('no public object prints its secret or token in any form', async () => {
  await using server = await startFaultServer(token({ access_token: accessToken }));
  const configuration = configure(server.host, { clientSecret: secret });
  const api = new AuthenticationApi(configuration);
  const info = await api.oAuth2TokenPostWithHttpInfo();
  const manager = new TokenManager(configuration);
  await manager.getToken();
  const pool = new TokenManagerPool(() => configuration);
  await pool.for('a').getToken();
  const objects = { configuration, api, info, response: info.data, manager, pool, fetch: manager.fetch };
  for (const [name, object] of Object.entries(objects)) assertClean(object, name);

  assert.equal(info.data.access_token, accessToken);
  assert.equal(configuration.clientSecret, secret);
  for (const shown of [inspect(configuration), JSON.stringify(configuration), String(configuration)]) {
    assert.match(shown, /"clientSecret":"\[redacted\]"/);
  }
  for (const shown of [inspect(info.data), JSON.stringify(info.data), String(info.data)]) {
    assert.match(shown, /"access_token":"\[redacted\]".*"expires_in":900/);
  }
  assert.equal(JSON.stringify(new Configuration()).includes('clientSecret'), false);
});

test('an error whose response echoes the request shows no secret or token', async () => {
  await using server = await startFaultServer();
  for (const authentication of ['form', 'basic'] as const) {
    const api = new AuthenticationApi(
      configure(server.host, { clientSecret: secret, clientAuthentication: authentication, retry: false }),
    );
    const echoes = [
      // As a debug page would show the request.
      (status: number): Answer =>
        (response, request, raw) =>
          plain(status, `<pre>${request.body}\n${JSON.stringify(request.headers)}</pre>`)(
            response,
            request,
            raw,
          ),
      (status: number) =>
        json(status, { error: secret, error_description: `wrong: ${secret}`, trace_id: secret }),
      (status: number) => plain(status, `${secret} ${encodeURIComponent(secret)} ${accessToken}`),
      (status: number) => plain(status, encodeURIComponent(secret).toLowerCase()),
      (status: number) => plain(status, secret.replaceAll('&', '&amp;').replaceAll('"', '&quot;')),
      (status: number) => plain(status, secret.replaceAll('&', '&#38;').replaceAll('"', '&#34;')),
      // JSON in ASCII, as Python writes it.
      (status: number) =>
        plain(
          status,
          JSON.stringify(secret).replace(
            /[^ -~]/g,
            (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
          ),
        ),
      (status: number) =>
        plain(status, 'x', { location: `https://x.example/?s=${encodeURIComponent(secret)}` }),
      (status: number) =>
        plain(status, 'x', { 'x-echo': encodeURIComponent(secret), 'x-request-id': accessToken }),
      (status: number) => plain(status, `{"access_token":"${accessToken}","token_type":"mac"}`),
      (status: number) => plain(status, `{"access_token":"opaque-c2lnbmF0dXJl`),
    ];
    for (const echo of echoes) {
      for (const status of [200, 302, 400, 403, 500]) {
        server.next(echo(status));
        await api.oAuth2TokenPost().then(
          () => assert.fail('it succeeded'),
          (error: unknown) => assertClean(error, `${authentication} ${status}`),
        );
      }
    }
  }
});

test('an error of a custom fetch loses its request, causes included', async () => {
  const inner = Object.assign(new Error(`inner ${secret}`), { code: 'EINNER', request: { body: secret } });
  const outer = Object.assign(new Error('outer', { cause: inner }), {
    config: { data: `s=${encodeURIComponent(secret)}` },
  });
  inner.cause = outer;
  const api = new AuthenticationApi(
    new Configuration({
      clientId: 'a',
      clientSecret: secret,
      retry: false,
      fetch: () => Promise.reject(outer),
    }),
  );
  await api.oAuth2TokenPost().then(
    () => assert.fail('it succeeded'),
    (error: unknown) => {
      assertClean(error, 'connection error');
      assert.match(inspect(error), /EINNER/);
    },
  );
});

test('a scrubber removes any secret from any text in each spelling', () => {
  const encodings: ((text: string) => string)[] = [
    (text) => text,
    encodeURIComponent,
    (text) => new URLSearchParams([['k', text]]).toString(),
    (text) => JSON.stringify(text),
  ];
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: 'grapheme', minLength: 8 }), fc.constantFrom(...awkwardSecrets)),
      fc.constantFrom(...encodings),
      fc.string(),
      (hidden, encode, around) => {
        fc.pre(hidden.isWellFormed() && !around.includes(hidden) && hidden.trim().length > 5);
        const text = `${around}<${encode(hidden)}>${around}`;
        const scrubbed = scrubber([hidden])(text);
        assert.ok(scrubbed.includes('[redacted]'), scrubbed);
        assert.ok(!scrubbed.includes(encode(hidden)), scrubbed);
      },
    ),
    { numRuns: 2000 },
  );
});

test('scrubbing a hostile body takes linear time for any secret', () => {
  const specials = ['+', '%', '&', '<', '"', ' ', '-', '.', 'ü', '🔑', "'", '('];
  const secrets = [
    'mms_secret',
    ...specials.map((character) => `${character.repeat(40)}!`),
    specials.join('').repeat(4),
  ];
  const encodings = specials.flatMap((c) => [c, encodeURIComponent(c), encodeURIComponent(c).toLowerCase()]);
  const parts = [
    'eyJ',
    'eyJaaaaaaaaa.',
    '_token ',
    '&amp;',
    '&#38;',
    '\\u002b',
    '"access_token": ',
    ...encodings,
  ];
  // CPU time of all bodies of a size: in turns, so that a machine that changes its speed meets both alike.
  const micros = { short: 0, long: 0 };
  for (const hidden of secrets) {
    const scrub = scrubber([hidden]);
    for (const part of parts) {
      for (const [size, bytes] of [['short', 8192] as const, ['long', 65_536] as const]) {
        const body = part.repeat(Math.ceil(bytes / part.length));
        const before = process.cpuUsage();
        scrub(body);
        const { user, system } = process.cpuUsage(before);
        micros[size] += user + system;
      }
    }
  }
  // Eight times the length: quadratic work would take 64 times as long.
  assert.ok(micros.long < 24 * micros.short, `${micros.short} µs, and ${micros.long} µs for the long ones`);
});

test('a text without a secret or a token stays as it is', () => {
  const text =
    '{"error":"invalid_client","error_description":"Wrong & gone.","token_type":"Bearer","trace_id":"a-b"}';
  assert.equal(scrubber(['mms_secret'])(text), text);
});
