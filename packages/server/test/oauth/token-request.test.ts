import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  exchange,
  FORM,
  formEncode,
  rawExchange,
  parseReplies,
  TOKEN_PATH,
} from '@mintmark/test-support/http';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser } from '@mintmark/test-support/store';

// What a request to the token endpoint may look like, and what is said of one that may not.

let server: TestServer;
let user: MadeApiUser;
let good: string;

before(async () => {
  const store = await newStore();
  user = await store.apiUser('Importer', '--scope', 'campaigns:read campaigns:manage');
  server = await store.start();
  good = `client_id=${user.client_id}&client_secret=${user.client_secret}`;
});
after(async () => await server[Symbol.asyncDispose]());

/** Posts bytes as they are, as a form unless `headers` says otherwise. */
async function send(body: string | Buffer, headers: Record<string, string> = { 'Content-Type': FORM }) {
  return await exchange(server.port, {
    headers: { ...headers, 'Content-Length': String(body.length) },
    body,
  });
}

async function refused(
  body: string | Buffer,
  error: string,
  description: RegExp,
  headers?: Record<string, string>,
) {
  const reply = await send(body, headers);
  assert.equal(reply.status, 400, reply.text);
  assert.deepEqual(Object.keys(reply.body), ['error', 'error_description', 'trace_id']);
  assert.equal(reply.body['error'], error);
  assert.match(reply.body['error_description'] as string, description);
  assert.equal(reply.headers['x-request-id'], reply.body['trace_id']);
  assert.ok(!reply.text.includes(user.client_secret));
}

async function accepted(body: string, headers?: Record<string, string>) {
  const reply = await send(body, headers);
  assert.equal(reply.status, 200, reply.text);
  server.noteSecret(reply.body['access_token'] as string);
  return reply;
}

test('a missing, empty, valueless or documented grant_type gets a token', async () => {
  await accepted(good);
  await accepted(`grant_type=&${good}`);
  await accepted(`grant_type&${good}`);
  await accepted(`${good}&grant_type=client_credentials`);
});

test('another grant_type is unsupported, and the answer names the valid one', async () => {
  for (const grantType of ['password', 'authorization_code', 'refresh_token', 'Client_Credentials', '%20']) {
    await refused(`${good}&grant_type=${grantType}`, 'unsupported_grant_type', /client_credentials/);
  }
});

test('a Content-Type in any case and with a charset is accepted', async () => {
  for (const type of [
    'Application/X-WWW-Form-URLencoded',
    'application/x-www-form-urlencoded;charset=UTF-8',
    'application/x-www-form-urlencoded ; Charset="utf-8"',
    'APPLICATION/X-WWW-FORM-URLENCODED; charset=ISO-8859-1; foo=bar',
  ]) {
    await accepted(good, { 'Content-Type': type });
  }
});

test('a missing or wrong Content-Type is refused, naming the right one', async () => {
  await refused(good, 'invalid_request', /Content-Type: application\/x-www-form-urlencoded/, {});
  for (const type of [
    '',
    'text/plain',
    'multipart/form-data; boundary=x',
    'application/x-www-form-urlencodedx',
  ]) {
    const headers = { 'Content-Type': type };
    await refused(good, 'invalid_request', /Content-Type: application\/x-www-form-urlencoded/, headers);
  }
});

test('a JSON body is refused with the advice to send a form', async () => {
  const json = JSON.stringify({ client_id: user.client_id, client_secret: user.client_secret });
  for (const type of ['application/json', 'Application/JSON; charset=utf-8']) {
    await refused(json, 'invalid_request', /JSON.*form/, { 'Content-Type': type });
  }
  await refused(json, 'invalid_request', /client_id is missing/);
});

test('a missing or a different Accept gets JSON all the same', async () => {
  for (const accept of [undefined, '*/*', 'text/html', 'application/xml;q=0.9', 'nonsense']) {
    const reply = await accepted(good, {
      'Content-Type': FORM,
      ...(accept !== undefined && { Accept: accept }),
    });
    assert.equal(reply.headers['content-type'], 'application/json');
    const bad = await send('', { 'Content-Type': FORM, ...(accept !== undefined && { Accept: accept }) });
    assert.equal(bad.headers['content-type'], 'application/json');
  }
});

test('a chunked body without Content-Length gets a token', async () => {
  const chunked = await exchange(server.port, {
    headers: { 'Content-Type': FORM, 'Transfer-Encoding': 'chunked' },
    body: good,
  });
  assert.equal(chunked.status, 200);
  server.noteSecret(chunked.body['access_token'] as string);
  const bytewise = Array.from(good, (character) => `1\r\n${character}\r\n`).join('');
  const stream = await rawExchange(
    server.port,
    `POST ${TOKEN_PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: ${FORM}\r\nTransfer-Encoding: chunked\r\n` +
      `Connection: close\r\n\r\n${bytewise}0\r\n\r\n`,
  );
  const [reply, ...others] = parseReplies(stream);
  assert.equal(reply?.status, 200);
  assert.deepEqual(others, []);
  server.noteSecret((JSON.parse(reply.text) as { access_token: string }).access_token);
});

test('a request with Expect: 100-continue gets its interim answer and its token', async () => {
  const reply = await accepted(good, { 'Content-Type': FORM, Expect: '100-continue' });
  assert.equal(reply.body['token_type'], 'Bearer');
});

test('a repeated parameter is refused, whichever it is and whatever its values', async () => {
  for (const name of ['client_id', 'client_secret', 'grant_type', 'scope', 'resource', 'unknown']) {
    await refused(`${good}&${name}=a&${name}=b`, 'invalid_request', /more than once/);
    await refused(`${name}=&${good}&${name}=`, 'invalid_request', /more than once/);
  }
  await refused(`${good}&client%5Fid=${user.client_id}`, 'invalid_request', /more than once/);
});

test('unknown parameters are ignored, and so are empty pairs', async () => {
  await accepted(`foo=bar&${good}&assertion=x&constructor=1&__proto__=2`);
  await accepted(`&&${good}&&`);
});

test('malformed percent-encoding is refused', async () => {
  for (const bad of ['%', '%2', '%zz', '%u0041', '%C3%28', '%ff', '%ED%A0%80', '%F8%88%80%80%80', '%C0%80']) {
    await refused(`${good}&x=${bad}`, 'invalid_request', /percent-encode/);
    await refused(`${good}&${bad}=x`, 'invalid_request', /percent-encode/);
  }
});

test('a NUL byte is refused, encoded or not', async () => {
  await refused(`${good}&x=a%00b`, 'invalid_request', /NUL/);
  await refused(`${good}\0`, 'invalid_request', /NUL/);
  await refused(`client%00_id=x&${good}`, 'invalid_request', /NUL/);
});

test('a body that is not UTF-8 is refused', async () => {
  for (const bytes of [[0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xfe, 0xff, 0, 0x61]]) {
    await refused(Buffer.concat([Buffer.from(`${good}&x=`), Buffer.from(bytes)]), 'invalid_request', /UTF-8/);
  }
});

test('a body of 8 KiB gets a token, a longer one not', async () => {
  const padding = 8192 - good.length - '&x='.length;
  await accepted(`${good}&x=${'a'.repeat(padding)}`);
  await refused(`${good}&x=${'a'.repeat(padding + 1)}`, 'invalid_request', /longer than 8192 bytes/);
  await refused(`${good}&x=${'a'.repeat(500_000)}`, 'invalid_request', /longer than 8192 bytes/);
});

test('a long chunked body without a length is refused like any other', async () => {
  const reply = await exchange(server.port, {
    headers: { 'Content-Type': FORM, 'Transfer-Encoding': 'chunked' },
    body: `${good}&x=${'a'.repeat(100_000)}`,
  });
  assert.equal(reply.status, 400);
  assert.match(reply.text, /longer than 8192 bytes/);
});

test('a compressed body is refused with advice to send it plain', async () => {
  const headers = { 'Content-Type': FORM, 'Content-Encoding': 'gzip' };
  await refused(good, 'invalid_request', /compressed/, headers);
});

test('credentials in the query string are refused, even with a complete form', async () => {
  for (const query of [
    good,
    `a=b&${good}`,
    `client_id=${user.client_id}`,
    'client%5Fsecret=x',
    'CLIENT_SECRET=x',
  ]) {
    for (const body of ['', good]) {
      const headers = { 'Content-Type': FORM };
      const reply = await exchange(server.port, { path: `${TOKEN_PATH}?${query}`, headers, body });
      assert.equal(reply.status, 400, query);
      assert.equal(reply.body['error'], 'invalid_request');
      assert.match(reply.body['error_description'] as string, /query string are refused/);
    }
  }
});

test('a query string without credentials is ignored', async () => {
  const headers = { 'Content-Type': FORM };
  const reply = await exchange(server.port, { path: `${TOKEN_PATH}?a=b`, headers, body: good });
  assert.equal(reply.status, 200);
  server.noteSecret(reply.body['access_token'] as string);
});

test('a missing or empty client_id or client_secret is named', async () => {
  await refused('', 'invalid_request', /client_id is missing/);
  await refused(`client_secret=${user.client_secret}`, 'invalid_request', /client_id is missing/);
  await refused(`client_id=&client_secret=${user.client_secret}`, 'invalid_request', /client_id is missing/);
  await refused(`client_id=${user.client_id}`, 'invalid_request', /client_secret is missing/);
  await refused(`client_id=${user.client_id}&client_secret=`, 'invalid_request', /client_secret is missing/);
  await refused(`client_id=${user.client_id}&Client_Secret=x`, 'invalid_request', /client_secret is missing/);
});

test('values with needless percent-encoding mean the same', async () => {
  const everyByte = (text: string) =>
    Array.from(Buffer.from(text), (byte) => `%${byte.toString(16)}`).join('');
  await accepted(
    `${everyByte('client_id')}=${everyByte(user.client_id)}&client_secret=${everyByte(user.client_secret)}`,
  );
});

test('a secret with an unencoded plus sign is a wrong secret', async () => {
  const reply = await send(`client_id=${user.client_id}&client_secret=a+b/c==${formEncode('ü+%')}`);
  assert.equal(reply.status, 403);
  assert.equal(reply.body['error'], 'invalid_client');
});

test('any method but POST is 405 with Allow, whatever it holds', async () => {
  for (const method of ['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'QUERY']) {
    for (const body of ['', good]) {
      const reply = await exchange(server.port, {
        method,
        headers: { 'Content-Length': String(body.length) },
        body,
      });
      assert.equal(reply.status, 405, method);
      assert.equal(reply.headers.allow, 'POST');
      assert.equal(reply.headers['content-type'], 'application/json');
      assert.equal(reply.headers['cache-control'], 'no-store');
      assert.deepEqual(Object.keys(reply.body), ['error', 'error_description', 'trace_id']);
      assert.equal(reply.headers['x-request-id'], reply.body['trace_id']);
    }
  }
  const head = await exchange(server.port, { method: 'HEAD' });
  assert.equal(head.status, 405);
  assert.equal(head.headers.allow, 'POST');
  assert.equal(head.text, '');
});

test('an unknown path is 404 as JSON with any method and body', async () => {
  const paths = [
    '/',
    '/oauth2/token',
    `${TOKEN_PATH}/`,
    `${TOKEN_PATH}/x`,
    '//marketing/oauth2/token',
    '/%zz',
    '/a%00b',
  ];
  for (const path of [...paths, '/marketing/OAuth2/token', '/..%2f..%2fetc/passwd', `/${'a'.repeat(2000)}`]) {
    for (const asked of [
      { method: 'GET' },
      { method: 'POST', headers: { 'Content-Type': FORM }, body: good },
      { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{not json' },
      { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: `"${'a'.repeat(20_000)}"` },
      { method: 'PROPFIND' },
    ]) {
      const reply = await exchange(server.port, { path, ...asked });
      assert.equal(reply.status, 404, `${asked.method} ${path}: ${reply.text}`);
      assert.match(reply.headers['content-type'] ?? '', /^application\/json/);
      assert.equal(reply.body['error'], 'not_found');
      assert.deepEqual(Object.keys(reply.body), ['error', 'error_description', 'trace_id']);
      assert.equal(reply.headers['x-request-id'], reply.body['trace_id']);
    }
  }
});

test('a request with an absolute URL gets a token (RFC 9112 §3.2.2)', async () => {
  const headers = { 'Content-Type': FORM };
  const reply = await exchange(server.port, { path: server.url + '/oauth2/token', headers, body: good });
  assert.equal(reply.status, 200, reply.text);
  server.noteSecret(reply.body['access_token'] as string);
});

test('an offer to change the protocol is ignored (curl --http2)', async () => {
  const h2c = {
    Connection: 'Upgrade, HTTP2-Settings',
    Upgrade: 'h2c',
    'HTTP2-Settings': 'AAMAAABkAARAAAAAAAIAAAAA',
  };
  for (const offer of [h2c, { Connection: 'Upgrade', Upgrade: 'websocket' }]) {
    await accepted(good, { 'Content-Type': FORM, ...offer });
  }
});
