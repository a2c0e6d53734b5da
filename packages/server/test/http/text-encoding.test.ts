import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { ADMIN, adminClient, assertProblem } from '@mintmark/test-support/admin';
import { BINARY } from '@mintmark/test-support/binary';
import { temporaryFolder, testStore } from '@mintmark/test-support/command-line';
import { adminDocument } from '@mintmark/test-support/described';
import { eventually } from '@mintmark/test-support/eventually';
import { exchange, type Reply } from '@mintmark/test-support/http';
import { mintmark, type TestServer } from '@mintmark/test-support/server';
import { newStore } from '@mintmark/test-support/store';
import { changeStore } from '@mintmark/test-support/store-under-test';

// Bodies of the admin API, arguments and standard input that are not UTF-8, or hold what no store keeps alike.

let server: TestServer;
let token: string;
let jsonRoutes: [method: string, path: string][];

before(async () => {
  const store = await newStore();
  const made = await store.apiUser('Deployment', '--scope', 'mintmark:admin');
  server = await store.start({ MINTMARK_ADMIN_ADDRESS_LIMIT: '1000000' });
  ({ token } = await adminClient(server, made));
  const { paths } = await adminDocument(server.port);
  jsonRoutes = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations)
      .filter(([, { requestBody }]) => requestBody?.content['application/json'] !== undefined)
      .map(([method]): [string, string] => [method.toUpperCase(), path.replaceAll(/\{\w+\}/g, 'x')]),
  );
});
after(async () => await server[Symbol.asyncDispose]());

async function send(
  method: string,
  path: string,
  body: Buffer | string,
  type = 'application/json',
): Promise<Reply> {
  return await exchange(server.port, {
    method,
    path: ADMIN + path,
    headers: {
      Authorization: `Bearer ${token}`,
      'Content-Type': type,
      'Content-Length': String(Buffer.byteLength(body)),
      'Sec-Fetch-Site': 'same-origin',
    },
    body,
  });
}

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

test('a JSON body that is not UTF-8 is refused on every route', async () => {
  assert.ok(jsonRoutes.length > 15, `${jsonRoutes.length} routes`);
  for (const [method, path] of jsonRoutes) {
    const reply = await send(method, path, latin1('{"name":"n","username":"no\xe9@example.com"}'));
    assertProblem(reply, 400, 'invalid');
    assert.match(String(reply.body['detail']), /not UTF-8/, `${method} ${path}`);
  }
});

test('every route refuses JSON in another charset than UTF-8', async () => {
  for (const [method, path] of [...jsonRoutes, ['POST', '/api-users/import'] as const]) {
    const type = path.endsWith('/import') ? 'application/x-ndjson' : 'application/json';
    const reply = await send(method, path, '{}', `${type}; charset=ISO-8859-1`);
    assertProblem(reply, 400, 'invalid');
    assert.match(String(reply.body['detail']), /charset/, `${method} ${path}`);
  }
  for (const parameter of [
    'charset=utf-16',
    'charset="latin1"',
    'charset=',
    'CHARSET=us-ascii',
    'x=y; charset=utf-7',
    'charset=utf-8; charset=utf-16',
  ]) {
    assertProblem(
      await send('POST', '/api-users', '{"name":"n"}', `application/json; ${parameter}`),
      400,
      'invalid',
    );
  }
});

test('a JSON body in UTF-8 is taken with or without charset', async () => {
  for (const type of ['', ';charset=utf-8', '; charset="UTF-8"', '; Charset=utf8; x=y']) {
    const name = `Zoë 🦊 ${type}`;
    const reply = await send(
      'POST',
      '/api-users',
      JSON.stringify({ name, secret: false }),
      `application/json${type}`,
    );
    assert.equal(reply.status, 201, reply.text);
    assert.equal((reply.body['api_user'] as Record<string, unknown>)['name'], name);
  }
  const marked = await send('POST', '/api-users', '\ufeff{"name":"Marked","secret":false}');
  assert.equal(
    marked.status,
    201,
    'a byte order mark before it is not part of the JSON (RFC 8259 section 8.1)',
  );
});

test('bytes that are not UTF-8 are refused wherever they stand', async () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 4, min: 0x80, max: 0xff });
  await fc.assert(
    fc.asyncProperty(bytes, fc.constantFrom('name', 'contact', 'member'), async (given, where) => {
      fc.pre(!isUtf8(given));
      const [head = '', tail = ''] = TEMPLATES[where].split('?');
      const reply = await send(
        'POST',
        '/api-users',
        Buffer.concat([Buffer.from(head), given, Buffer.from(tail)]),
      );
      assertProblem(reply, 400, 'invalid');
    }),
    { numRuns: 100 },
  );
});

const TEMPLATES = {
  name: '{"name":"?"}',
  contact: '{"name":"n","contact":"? "}',
  member: '{"name":"n","?":1}',
};

function isUtf8(bytes: Uint8Array): boolean {
  return Buffer.from(Buffer.from(bytes).toString('utf8')).equals(Buffer.from(bytes));
}

test('a lone surrogate or NUL in JSON is refused on every route', async () => {
  for (const text of [
    String.raw`\ud800`,
    String.raw`\uDFFFx`,
    String.raw`\ud800\ud800`,
    String.raw`\u0000`,
  ]) {
    for (const body of [`{"name":"a${text}"}`, `{"a${text}":1}`, `{"x":[{"y":"${text}"}]}`]) {
      for (const [method, path] of jsonRoutes) {
        const reply = await send(method, path, body);
        assertProblem(reply, 400, 'invalid');
        assert.match(String(reply.body['detail']), /surrogate|NUL/, `${method} ${path} ${body}`);
      }
    }
    const reply = await send(
      'POST',
      '/api-users/import',
      `{"name":"a","username":"name${text}"}`,
      'application/x-ndjson',
    );
    assert.match(reply.text, /"outcome":"refused".*(surrogate|NUL)/);
  }
  const name = String.raw`\ud83e\udd8a \\ud800 \\u0000`;
  const reply = await send('POST', '/api-users', `{"name":"${name}","secret":false}`);
  assert.equal((reply.body['api_user'] as Record<string, unknown>)['name'], '🦊 \\ud800 \\u0000');
});

test('an import refuses only the lines that are not UTF-8', async () => {
  const body = latin1('{"name":"n\xe9"}\n{"name":"Beside"}\n');
  const reply = await send('POST', '/api-users/import', body, 'application/x-ndjson');
  assert.deepEqual(
    reply.text.split('\n').map((line) => /"outcome":"(\w+)"/.exec(line)?.[1]),
    ['refused', 'made', 'done', undefined],
  );
});

test('an API user named before a rule can be disabled and renamed', async () => {
  using store = await testStore();
  const { client_id: id } = await store.json<{ client_id: string }>('api-user', 'create', '--name', 'old');
  changeStore(store.dataDir, `update api_users set name = '\ufeffold' where client_id = '${id}'`);
  await store.cli('api-user', 'disable', id);
  await store.cli('api-user', 'update', id, '--contact', 'team');
  await store.cli('api-user', 'update', id, '--name', 'new');
});

/** The command line with arguments and standard input of any bytes, which spawn cannot pass on: by a shell. */
function shell(dataDir: string, command: string): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync('sh', ['-c', command], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], NODE: process.execPath, M: BINARY, MINTMARK_DATA_DIR: dataDir },
  });
  return { code: status, out: stdout, err: stderr };
}

const COMMANDS = [
  'api-user create --name',
  'api-user show',
  'operator create --role admin --email',
  'audit list --subject',
];

test('arguments that hold control characters are refused', async () => {
  const dataDir = temporaryFolder();
  for (const [argument, shown] of [
    ['a\rb', String.raw`a\\rb`],
    ['a\tb', String.raw`a\\tb`],
    ['a\u0085b', String.raw`a\\u0085b`],
    ['a\u007fb', String.raw`a\\u007fb`],
    ['\ufeffa', String.raw`\\ufeffa`],
  ] as const) {
    for (const command of COMMANDS) {
      const args = [...command.split(' '), `x${argument}x`];
      const { code, out, err } = await mintmark(args, { env: { MINTMARK_DATA_DIR: dataDir } });
      assert.equal(code, 3, `${command} ${argument}: ${out}${err}`);
      assert.match(err, new RegExp(`^mintmark: [^\n]*${shown}[^\n]*\n$`), command);
    }
  }
  rmSync(dataDir, { recursive: true });
});

test('an argument that is not UTF-8 is refused', () => {
  const dataDir = temporaryFolder();
  for (const command of COMMANDS) {
    const { code, out, err } = shell(dataDir, `"$NODE" "$M" ${command} "$(printf 'xn\\351x')"`);
    assert.equal(code, 3, `${command}: ${out}${err}`);
    assert.match(err, /^mintmark: [^\n]*\ufffd[^\n]*\n$/, command);
  }
  rmSync(dataDir, { recursive: true });
});

test('standard input refuses a password with NUL or not in UTF-8', async () => {
  using store = await testStore();
  const { client_id: id } = await store.json<{ client_id: string }>('api-user', 'create', '--name', 'a');
  for (const bytes of [String.raw`caf\351 au lait, s.v.p.`, String.raw`cafe\000 au lait, s.v.p.`]) {
    for (const command of [
      `credential create ${id}`,
      'operator create --email ada@example.com --role admin',
    ]) {
      const { code, err } = shell(
        store.dataDir,
        `printf '${bytes}\\n' | "$NODE" "$M" ${command} --password-stdin`,
      );
      assert.equal(code, 3, err);
      assert.match(err, /^mintmark: [^\n]*(UTF-8|NUL)[^\n]*\n$/);
      assert.doesNotMatch(err, /au lait/);
    }
  }
});

test('a password is read whole in pieces, without a byte order mark', async () => {
  const store = await newStore();
  const user = await store.apiUser('A person', '--no-secret');
  await using running = await store.start();
  const password = 'cafés à la crème 🦊';
  running.noteSecret(password);
  const bytes = Buffer.from(`\ufeff${password}\r\nmore`);
  const { code, err } = await mintmark(['credential', 'create', user.client_id, '--password-stdin'], {
    env: { MINTMARK_DATA_DIR: running.dataDir },
    stdin: Array.from(bytes, (byte) => Buffer.of(byte)),
  });
  assert.equal(code, 0, err);
  await eventually(async () => {
    const { status } = await running.post({ client_id: user.client_id, client_secret: password });
    assert.equal(status, 200);
  });
});
