import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import * as client from '../src/index.ts';
import { configure } from './support/credentials.ts';
import type { FaultServer } from './support/fault-server.ts';
import { json, problem, startFaultServer, token } from './support/fault-server.ts';
import type { PackedClient } from './support/packed.ts';
import { modules, output, packClient, packageDir, tsc } from './support/packed.ts';

const root = join(packageDir, '../..');
const documents = ['packages/client/README.md', 'docs/AuthenticationApi.md', 'docs/migration.md'];
let packed: PackedClient;
let server: FaultServer;
before(async () => {
  packed = await packClient();
  server = await startFaultServer();
});
after(async () => {
  await server.close();
  await packed[Symbol.asyncDispose]();
});

async function snippets(document: string): Promise<string[]> {
  const text = await readFile(join(root, document), 'utf8');
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = '']) => code);
}

/** The rows of the first table after a heading, without the marks of bold and code. */
async function table(document: string, heading: string): Promise<string[][]> {
  const text = await readFile(join(root, document), 'utf8');
  const [, after_ = ''] = text.split(`${heading}\n`);
  const rows = /((?:^\|.*\n)+)/m.exec(after_)?.[1]?.trim().split('\n').slice(2) ?? [];
  return rows.map((row) =>
    row
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.replaceAll(/[*`]/g, '').trim()),
  );
}

test('every snippet of the documentation type-checks against the packed package', async () => {
  const files: string[] = [];
  for (const document of documents) {
    for (const [i, code] of (await snippets(document)).entries()) {
      files.push(await packed.write(`${document.replaceAll(/\W/g, '-')}-${i}.mts`, code));
    }
  }
  assert.ok(files.length >= 6, `${files.length} snippets`);
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2022',
    lib: ['es2022'],
    types: ['node'],
    typeRoots: [join(modules, '@types')],
    strict: true,
    noEmit: true,
  };
  const config = await packed.write('tsconfig.json', JSON.stringify({ compilerOptions, files }));
  assert.equal(await output(process.execPath, [tsc, '-p', config], packed.project), '');
});

test('the first snippet of the README gets data in four lines', async () => {
  await using api = await startFaultServer(json(200, [{ campaign: 'spring' }]));
  const [code = ''] = await snippets('packages/client/README.md');
  assert.equal(code.trim().split('\n').length, 4);
  const script = await packed.write(
    'first.mts',
    code.replace('http://localhost:8080/marketing', server.host).replace('http://localhost:9090', api.origin),
  );
  const env = { MINTMARK_CLIENT_ID: 'a', MINTMARK_CLIENT_SECRET: 'b' };
  assert.match(await output(process.execPath, [script], packed.project, env), /campaign: 'spring'/);
});

test('the example of docs/AuthenticationApi.md runs as it is printed there', async () => {
  const [code = ''] = await snippets('docs/AuthenticationApi.md');
  const host =
    "globalThis.fetch = ((original) => (url, init) => original(url.replace('https://api.criteo.com', process.env.ORIGIN), init))(fetch);\n";
  const script = await packed.write('example.mjs', `${host}${code}`);
  server.next(token({ expires_in: 899 }), problem(403, 'invalid_client'));
  const env = { ORIGIN: server.origin };
  const printed = await output(process.execPath, [script], packed.project, env);
  assert.match(printed, /"access_token":"\[redacted\]".*"expires_in":899/);
  assert.match(
    await output(process.execPath, [script], packed.project, env),
    /Exception when calling.*403 Forbidden/,
  );
  assert.equal(server.requests.at(-1)?.form.get('client_id'), 'clientId_example');
});

test('the parameters in docs/AuthenticationApi.md are those of the code', async () => {
  const declared = await readFile(join(packed.folder, 'dist/token-request.d.ts'), 'utf8');
  const [, body = ''] = /interface OAuth2TokenPostParameters \{(.*?)\n\}/s.exec(declared) ?? [];
  const names = [...body.matchAll(/readonly (\w+)\?: string/g)].map(([, name]) => name);
  assert.deepEqual(
    (await table('docs/AuthenticationApi.md', '### Parameters')).map(([name]) => name),
    names,
  );
});

test('the response codes in docs/AuthenticationApi.md match the exceptions and the retries', async () => {
  const rows = await table('docs/AuthenticationApi.md', '### HTTP response codes');
  assert.equal(rows.length, 12);
  for (const [status = '', , exception, code, again] of rows) {
    if (status === '200') continue;
    server.requests.length = 0;
    server.fallback(problem(Number(status), 'e'));
    const api = new client.AuthenticationApi(configure(server.host, { retry: { attempts: 2 } }));
    await api.oAuth2TokenPost().then(
      () => assert.fail('it succeeded'),
      (error: client.ApiException) => {
        assert.deepEqual([error.constructor.name, error.code], [exception, code], status);
      },
    );
    assert.equal(server.requests.length, again === 'yes' ? 2 : 1, status);
  }
  server.fallback(token());
});

test('the options in the README match the code and its defaults', async () => {
  const declared = await readFile(join(packed.folder, 'dist/configuration.d.ts'), 'utf8');
  const [, body = ''] = /interface ConfigurationParameters \{(.*?)\n\}/s.exec(declared) ?? [];
  const names = [...body.matchAll(/readonly (\w+)\?:/g)].map(([, name = '']) => name);
  const rows = await table('packages/client/README.md', '## Options');
  assert.deepEqual(rows.flatMap(([name = '']) => name.split(', ')).sort(), names.sort());
  const defaults = new client.Configuration();
  const shown = Object.fromEntries(rows.map(([name, value = '']) => [name, value]));
  assert.equal(shown['host'], defaults.host);
  assert.equal(shown['tokenPath'], defaults.tokenPath);
  assert.equal(shown['timeoutMs']?.replace(',', ''), String(defaults.timeoutMs));
  const retry = Object.entries(defaults.retry).map(([name, value]) => `${name}: ${value}`);
  assert.equal(shown['retry']?.replaceAll('_', ''), `{ ${retry.join(', ')} }`);
});

test('every relative link of the documentation leads to a file', async () => {
  const pages = (await readdir(join(root, 'docs/decisions'))).filter((name) => /^1\d\d-/.test(name));
  for (const document of [...documents, ...pages.map((name) => `docs/decisions/${name}`)]) {
    const text = await readFile(join(root, document), 'utf8');
    for (const [, link = ''] of text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
      await readFile(join(root, document, '..', link), 'utf8');
    }
  }
});

test('every snippet with a server of one’s own names its host', async () => {
  for (const code of await snippets('packages/client/README.md')) {
    if (/Configuration\(|fromEnv\(/.test(code)) assert.match(code, /host/);
  }
});
