// Requests that one program may read differently from another, callers that wait for 100 Continue, and secrets in URLs.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ADMIN, adminClient, assertProblem } from '@mintmark/test-support/admin';
import { eventually } from '@mintmark/test-support/eventually';
import { exchange, FORM, parseReplies, rawConnection, rawExchange } from '@mintmark/test-support/http';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser } from '@mintmark/test-support/store';

let server: TestServer;
let user: MadeApiUser;
let token: string;

interface Endpoint {
  path: string;
  /** Headers and body of a request that succeeds. */
  headers: string[];
  body: string;
  status: number;
  /** The answer to a body that is declared longer than the bound. */
  tooLong: number;
}
const endpoints: Record<string, Endpoint> = {};

before(async () => {
  const store = await newStore();
  user = await store.apiUser('Admin', '--scope', 'mintmark:admin', '--scope', 'mintmark:introspect');
  server = await store.start({ MINTMARK_ADMIN_ADDRESS_LIMIT: '100000' });
  ({ token } = await adminClient(server, user));
  const credentials = `client_id=${user.client_id}&client_secret=${user.client_secret}`;
  const form = { headers: [`Content-Type: ${FORM}`], status: 200, tooLong: 400 };
  endpoints['token'] = {
    ...form,
    path: '/marketing/oauth2/token',
    body: `${credentials}&scope=mintmark:admin`,
  };
  endpoints['introspect'] = { ...form, path: '/marketing/oauth2/introspect', body: `${credentials}&token=x` };
  endpoints['revoke'] = { ...form, path: '/marketing/oauth2/revoke', body: `${credentials}&token=x` };
  endpoints['admin'] = {
    path: `${ADMIN}/api-users`,
    headers: ['Content-Type: application/json', `Authorization: Bearer ${token}`],
    body: '{"name":"Made"}',
    status: 201,
    tooLong: 413,
  };
});
after(async () => await server[Symbol.asyncDispose]());

interface Head {
  host?: string[];
  version?: string;
  /** In place of Content-Length. */
  length?: string[];
  more?: string[];
  path?: string;
}

function headOf({ path, headers, body }: Endpoint, head: Head = {}): string {
  const lines = [
    `POST ${head.path ?? path} HTTP/${head.version ?? '1.1'}`,
    ...(head.host ?? ['Host: localhost']),
    ...headers,
    ...(head.length ?? [`Content-Length: ${body.length}`]),
    ...(head.more ?? []),
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** The statuses of what is answered until the connection is closed; notes the tokens among the answers. */
async function statusesOf(bytes: string): Promise<number[]> {
  const stream = await rawExchange(server.port, bytes);
  return parseReplies(stream).map(({ status, text }) => {
    noteToken(text);
    return status;
  });
}

function noteToken(text: string): void {
  const [, issued] = /"access_token":"([^"]+)"/.exec(text) ?? [];
  if (issued !== undefined) server.noteSecret(issued);
}

const chunked = (body: string): string => `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
const CLOSE = 'Connection: close';

for (const name of ['token', 'introspect', 'revoke', 'admin']) {
  describe(`the ${name} endpoint`, () => {
    let endpoint: Endpoint;
    before(() => {
      endpoint = endpoints[name]!;
    });

    test('answers a well-formed request with one Host, chunked or not', async () => {
      const whole = headOf(endpoint, { more: [CLOSE] }) + endpoint.body;
      assert.deepEqual(await statusesOf(whole), [endpoint.status]);
      for (const coding of ['chunked', 'Chunked', ' chunked ']) {
        const head = headOf(endpoint, { length: [`Transfer-Encoding: ${coding}`], more: [CLOSE] });
        assert.deepEqual(await statusesOf(head + chunked(endpoint.body)), [endpoint.status], coding);
      }
    });

    test('refuses two Host headers, and one that is no host', async () => {
      for (const host of [
        ['Host: localhost', 'Host: localhost'],
        ['Host: localhost', 'host: elsewhere.example'],
        ['Host: localhost', 'Host: '],
        ['Host: ', 'Host: '],
        ['Host: localhost, elsewhere.example'],
        ['Host: local host'],
        ['Host: someone@localhost'],
        ['Host: localhost/path'],
        ['Host: localhost:80:80'],
        ['Host: [::1'],
      ]) {
        for (const version of ['1.1', '1.0']) {
          const request = headOf(endpoint, { host, version }) + endpoint.body;
          assert.deepEqual(await statusesOf(request), [400], `${host.join(' and ')} in HTTP/${version}`);
        }
      }
    });

    test('answers each form that a host may have', async () => {
      for (const host of ['', 'tokens.example:8080', '127.0.0.1', '[::1]', '[::1]:80', 'a_b.example', 'x:']) {
        const request = headOf(endpoint, { host: [`Host: ${host}`], more: [CLOSE] }) + endpoint.body;
        assert.deepEqual(await statusesOf(request), [endpoint.status], host);
      }
    });

    test('refuses each Transfer-Encoding but chunked, and any in HTTP/1.0', async () => {
      for (const codings of [
        ['gzip, chunked'],
        ['gzip', 'chunked'],
        ['chunked, chunked'],
        ['identity, chunked'],
        ['chunked;q=1'],
        ['"chunked"'],
        ['x, chunked'],
        [', chunked'],
        ['gzip'],
        ['identity'],
      ]) {
        const length = codings.map((coding) => `Transfer-Encoding: ${coding}`);
        const request = headOf(endpoint, { length, more: [CLOSE] }) + chunked(endpoint.body);
        assert.deepEqual(await statusesOf(request), [400], codings.join(' and '));
      }
      const old = headOf(endpoint, { version: '1.0', length: ['Transfer-Encoding: chunked'] });
      assert.deepEqual(await statusesOf(old + chunked(endpoint.body)), [400]);
    });

    test('refuses more headers than it reads, and other versions of HTTP', async () => {
      const more = Array.from({ length: 101 }, (_, i) => `X-${i}: y`);
      const behind = headOf(endpoint, { more: [...more, 'Host: elsewhere.example'] }) + endpoint.body;
      assert.deepEqual(await statusesOf(behind), [431]);
      for (const version of ['0.9', '2.0']) {
        const [status] = await statusesOf(headOf(endpoint, { version }) + endpoint.body);
        assert.ok(status === 400 || status === 505, `${status} for HTTP/${version}`);
      }
    });

    test('asks for no body that is declared too long', async () => {
      for (const expect of ['100-continue', '100-Continue']) {
        const connection = await rawConnection(server.port);
        const head = { length: ['Content-Length: 99999999'], more: [`Expect: ${expect}`] };
        connection.socket.write(headOf(endpoint, head));
        const replies = parseReplies(await connection.closed); // fails at 100, which has no length
        assert.deepEqual(
          replies.map(({ status }) => status),
          [endpoint.tooLong],
        );
        assert.equal(replies[0]?.headers.get('connection'), 'close');
      }
    });

    test('asks for a body within the bound, and answers it', async () => {
      const connection = await rawConnection(server.port);
      connection.socket.write(headOf(endpoint, { more: ['Expect: 100-continue', CLOSE] }));
      const invitation = 'HTTP/1.1 100 Continue\r\n\r\n';
      await eventually(async () => assert.equal(connection.received(), invitation));
      connection.socket.write(endpoint.body);
      const [reply, ...others] = parseReplies((await connection.closed).slice(invitation.length));
      assert.deepEqual([reply?.status, others], [endpoint.status, []], reply?.text ?? 'no answer');
      noteToken(reply?.text ?? '');
    });

    test('pays no heed to Expect in HTTP/1.0', async () => {
      const head = headOf(endpoint, { version: '1.0', more: ['Expect: 100-continue'] });
      assert.deepEqual(await statusesOf(head + endpoint.body), [endpoint.status]);
    });

    test('refuses a secret in the URL under any spelling of its name', async () => {
      for (const query of [
        '?client_secret=s3cr3t-in-url',
        '?client%5Fsecret=s3cr3t-in-url',
        '?client_secre%74=s3cr3t-in-url',
        '?%63lient_secret=s3cr3t-in-url',
        '?client%255Fsecret=s3cr3t-in-url',
        '?client%25252525255Fsecret=s3cr3t-in-url',
        '?client%25%35%46secret=s3cr3t-in-url',
        '?CLIENT_SECRET=s3cr3t-in-url',
        '?a=b;client_secret=s3cr3t-in-url',
        '?a=b%3Bclient_secret=s3cr3t-in-url',
        '?a=b%26client_secret%3Ds3cr3t-in-url',
        '?;client_secret=s3cr3t-in-url',
        '?a?client_secret=s3cr3t-in-url',
        '?client_secret%00=s3cr3t-in-url',
        '?client_secret[]=s3cr3t-in-url',
        '?clientSecret=s3cr3t-in-url',
        '?client_assertion=s3cr3t-in-url',
        '?client%5Fassertion=s3cr3t-in-url',
        '?access_token=s3cr3t-in-url',
        '?x=1;token=s3cr3t-in-url',
        '?password=s3cr3t-in-url',
        `?x=${user.client_secret}`,
        `?x=${user.client_secret.replace('_', '%5F')}`,
      ]) {
        const request = headOf(endpoint, { path: endpoint.path + query, more: [CLOSE] }) + endpoint.body;
        const [reply] = parseReplies(await rawExchange(server.port, request));
        assert.equal(reply?.status, 400, `${query} ${reply?.text}`);
        assert.match(reply?.text ?? '', /query string are refused, because URLs end up in logs/);
        assert.ok(!reply?.text.includes('s3cr3t'), reply?.text);
      }
      const target = `http://${user.client_id}:s3cr3t-in-url@localhost${endpoint.path}`;
      const request = headOf(endpoint, { path: target, more: [CLOSE] }) + endpoint.body;
      assert.deepEqual(await statusesOf(request), [400]);
    });
  });
}

test('a client id in the query is refused where credentials are sent', async () => {
  for (const name of ['token', 'introspect', 'revoke']) {
    const { path, headers, body } = endpoints[name]!;
    for (const query of ['?client_id=x', '?client%5Fid=x', '?a=b;client_id=x']) {
      const request = headOf({ path: path + query, headers, body, status: 0, tooLong: 0 }, { more: [CLOSE] });
      assert.deepEqual(await statusesOf(request + body), [400], query);
    }
  }
});

test('harmless parameters in the query are let pass', async () => {
  const { path, body } = endpoints['token']!;
  for (const query of [
    '?',
    '?a=b',
    '?my_token=1',
    '?secret_client=1',
    '?a=%zz',
    '?a=client_secret',
    '?x-token=1',
  ]) {
    const reply = await exchange(server.port, {
      path: path + query,
      headers: { 'Content-Type': FORM },
      body,
    });
    assert.equal(reply.status, 200, query);
    server.noteSecret(reply.body['access_token'] as string);
  }
});

test('an import of any length is asked for, and a caller without rights for none', async () => {
  const path = `${ADMIN}/api-users/import`;
  const line = `${JSON.stringify({ name: 'Imported' })}\n`;
  const length = 100_000;
  const head = (bearer: string) => [
    `POST ${path} HTTP/1.1`,
    'Host: localhost',
    'Content-Type: application/x-ndjson',
    `Authorization: Bearer ${bearer}`,
    `Content-Length: ${length}`,
    'Expect: 100-continue',
    CLOSE,
    '\r\n',
  ];
  const allowed = await rawConnection(server.port);
  allowed.socket.write(head(token).join('\r\n'));
  await eventually(async () => assert.equal(allowed.received(), 'HTTP/1.1 100 Continue\r\n\r\n'));
  allowed.socket.write(line + '\n'.repeat(length - line.length));
  assert.match(await allowed.closed, /"outcome":"done","made":1,/);
  const refused = await rawExchange(server.port, head('x').join('\r\n'));
  assert.match(refused, /^HTTP\/1\.1 401 /);
});

test('a caller that sends Authorization twice is refused', async () => {
  const basic = `Basic ${Buffer.from(`${user.client_id}:${user.client_secret}`).toString('base64')}`;
  const { path } = endpoints['token']!;
  const headers = [`Content-Type: ${FORM}`, `Authorization: ${basic}`, `Authorization: ${basic}`, CLOSE];
  const request = headOf({ path, headers, body: 'a=b', status: 0, tooLong: 0 });
  assert.deepEqual(await statusesOf(`${request}a=b`), [400]);
  const admin = await exchange(server.port, {
    method: 'GET',
    path: `${ADMIN}/signing-keys`,
    headers: { Authorization: [`Bearer ${token}`, `Bearer ${token}`] },
  });
  assertProblem(admin, 401, 'not_signed_in');
});
