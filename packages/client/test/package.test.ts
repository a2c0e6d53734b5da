// Test setup: first.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { publint } from 'publint';
import { rolldown } from 'rolldown';
import { runtime, runtimeNames } from '@mintmark/test-support/runtimes';
import { startAssertionServer } from './support/assertion-server.ts';
import type { FaultServer } from './support/fault-server.ts';
import { json, plain, startFaultServer, token } from './support/fault-server.ts';
import type { PackedClient } from './support/packed.ts';
import { modules, output, packClient, packageDir, readJson, tsc } from './support/packed.ts';

let packed: PackedClient;
let server: FaultServer;
let env: Record<string, string>;
before(async () => {
  packed = await packClient();
  const give = token();
  server = await startFaultServer((response, request, raw) => {
    if (request.url === '/marketing/oauth2/token') return give(response, request, raw);
    if (request.url === '/api') return json(200, request.body)(response);
    plain(404, 'nothing here')(response, request, raw);
  });
  env = {
    HOST: server.host,
    API: `${server.origin}/api`,
    DIRECTORY: join(packed.project, 'tokens'),
    MINTMARK_CLIENT_ID: 'api_user',
    MINTMARK_CLIENT_SECRET: 'sec+ret',
  };
  await packed.write('credentials.json', '{"staging":{"client_id":"from-file","client_secret":"s"}}');
  await packed.write('smoke.mjs', await readFile(join(packageDir, 'test/support/smoke.mjs'), 'utf8'));
});
after(async () => {
  await server.close();
  await packed[Symbol.asyncDispose]();
});

test('the tarball holds only compiled code, types, README and licence, without dependencies', async () => {
  const other = packed.files.filter((path) => !/^dist\/[\w-]+\.(js|d\.ts)$/.test(path)).sort();
  assert.deepEqual(other, ['LICENSE', 'README.md', 'package.json']);
  const { dependencies, peerDependencies, optionalDependencies, scripts } = await readJson(
    join(packed.folder, 'package.json'),
  );
  assert.deepEqual([dependencies, peerDependencies, optionalDependencies], [undefined, undefined, undefined]);
  assert.deepEqual(Object.keys(Object(scripts)), ['build', 'prepack']);
});

test('publint finds nothing to say about the package', async () => {
  const { messages } = await publint({
    pkgDir: packed.folder,
    level: 'suggestion',
    strict: true,
    pack: false,
  });
  assert.deepEqual(messages, []);
});

test('attw finds the types of every entry right under ESM', async () => {
  const attw = join(modules, '@arethetypeswrong/cli/dist/index.js');
  const printed = await output(
    process.execPath,
    [attw, packed.tarball, '--profile', 'esm-only', '--format', 'ascii'],
    packed.project,
  );
  // It exits with 1 when it finds a problem. CommonJS is not its concern here: require() of ESM is tested below.
  for (const kind of ['node16 (from ESM)', 'bundler']) {
    assert.equal(printed.split(`${kind}: 🟢`).length - 1, 8, printed);
  }
});

test('the package used with require gives the same module as with import', async () => {
  const script = await packed.write(
    'use.cjs',
    `const { AuthenticationApi, Configuration } = require('@mintmark/client');
     const { FileTokenStore } = require('@mintmark/client/file-store');
     const configuration = new Configuration({ host: process.env.HOST, clientId: 'a', clientSecret: 'b' });
     new AuthenticationApi(configuration).oAuth2TokenPost().then(async ({ access_token }) => {
       const esm = await import('@mintmark/client');
       console.log(/^eyJ/.test(access_token), esm.AuthenticationApi === AuthenticationApi, typeof FileTokenStore);
     });`,
  );
  assert.equal((await output(process.execPath, [script], packed.project, env)).trim(), 'true true function');
});

const program = `
import { ApiException, AuthenticationApi, Configuration, TokenManager, TokenManagerPool } from '@mintmark/client';
import type { ClientEvent, InlineResponse200, RetryPolicy, TokenStore } from '@mintmark/client';
import { fromEnv } from '@mintmark/client/env';
import { githubActions, identityToken } from '@mintmark/client/identity';
import { privateKey } from '@mintmark/client/key';
import { tokenMiddleware } from '@mintmark/client/openapi-fetch';
import { tokenConfiguration } from '@mintmark/client/typescript-fetch';
const retry: Partial<RetryPolicy> = { attempts: 2 };
const onEvent = (event: ClientEvent) => { if (event.type === 'retry') event.delayMs.toFixed(); };
const configuration = new Configuration({ host: 'http://localhost:8080/marketing', clientId: 'a', clientSecret: async () => 'b', retry, onEvent });
const response: InlineResponse200 = await new AuthenticationApi(configuration).oAuth2TokenPost({ clientId: 'a' }, { timeoutMs: 5 });
const life: number = response.expires_in;
const store: TokenStore = { get: async () => null, set: async () => {} };
const manager = new TokenManager(configuration, { store });
const answer: Response = await manager.fetch(new URL('http://localhost/'), { method: 'POST', body: \`\${life}\` });
const wrapped: typeof fetch = manager.withToken(fetch);
const { fetchApi } = tokenConfiguration(manager);
const middleware = tokenMiddleware(manager);
const pool = new TokenManagerPool((tenant) => new Configuration({ clientId: tenant, clientSecret: 's' }));
const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
if (!('privateKey' in pair)) throw new Error('no pair');
const jwk = await crypto.subtle.exportKey('jwk', pair.privateKey);
for (const key of [pair, pair.privateKey, jwk, 'PEM', { file: '/key.pem' }, async (data: Uint8Array) => data]) {
  new Configuration({ clientId: 'a', clientAuthentication: privateKey({ key, alg: 'ES256', kid: 'k' }) });
}
for (const clientAuthentication of [githubActions({ audience: 'urn:a' }), identityToken({ file: '/t' }), identityToken(async ({ signal, clientId }) => \`\${signal.aborted}\${clientId}\`)]) {
  fromEnv({ clientAuthentication }).clientAuthentication;
}
try { await pool.for('x').getToken({ signal: AbortSignal.timeout(5) }); } catch (error) {
  if (error instanceof ApiException && error.code === 'rate_limited') error.retryAfterMs?.toFixed();
}
// @ts-expect-error -- a response has no such property
response.accessToken;
// @ts-expect-error -- the host is a string
new Configuration({ host: 1 });
// @ts-expect-error -- the server does not take it
privateKey({ key: 'PEM', alg: 'HS256' });
export { answer, wrapped, fetchApi, middleware };
`;

for (const [name, options] of [
  [
    'nodenext with the types of Node',
    { module: 'nodenext', moduleResolution: 'nodenext', types: ['node'], lib: ['es2022'] },
  ],
  [
    'nodenext with the DOM',
    { module: 'nodenext', moduleResolution: 'nodenext', types: [], lib: ['es2022', 'dom'] },
  ],
  [
    'bundler with the DOM',
    { module: 'esnext', moduleResolution: 'bundler', types: [], lib: ['es2022', 'dom'] },
  ],
  [
    'bundler with the types of Node',
    { module: 'preserve', moduleResolution: 'bundler', types: ['node'], lib: ['es2022'] },
  ],
  [
    'nodenext with the DOM and TypeScript 5.0',
    { module: 'nodenext', moduleResolution: 'nodenext', types: [], lib: ['es2022', 'dom'] },
  ],
] as const) {
  test(`a strict program type-checks against the package with moduleResolution ${name}`, async () => {
    const compiler = name.endsWith('TypeScript 5.0') ? join(modules, 'typescript-5.0/bin/tsc') : tsc;
    const folder = `types-${name.replaceAll(' ', '-')}`;
    await packed.write(`${folder}/program.mts`, program);
    const config = await packed.write(
      `${folder}/tsconfig.json`,
      JSON.stringify({
        compilerOptions: {
          ...options,
          target: 'es2022',
          strict: true,
          exactOptionalPropertyTypes: true,
          skipLibCheck: false,
          noEmit: true,
          typeRoots: [join(modules, '@types')],
        },
        files: ['program.mts'],
      }),
    );
    assert.equal(await output(process.execPath, [compiler, '-p', config], packed.project), '');
  });
}

/** A program of one import, bundled for browsers and minified. */
async function bundle(code: string): Promise<string> {
  const entry = await packed.write(
    `bundle-${Buffer.from(code).toString('hex').slice(0, 60)}/entry.mjs`,
    code,
  );
  const bundled = await rolldown({ input: entry, platform: 'browser', logLevel: 'silent' });
  const { output: chunks } = await bundled.generate({ format: 'esm', minify: true });
  assert.equal(chunks.length, 1);
  return chunks[0].code;
}

test('a browser bundle works and has no trace of Node modules', async () => {
  const code = await bundle(`
    import { Configuration, TokenManager } from '@mintmark/client';
    const manager = new TokenManager(new Configuration({ host: globalThis.HOST, clientId: 'a', clientSecret: 'b' }));
    globalThis.done = manager.fetch(globalThis.API, { method: 'POST', body: 'from a bundle' }).then((r) => r.text());
  `);
  assert.doesNotMatch(code, /\bimport\b|\brequire\(/);
  // As in a browser: what the bundle sees as global has no process and nothing else of Node.
  const script = await packed.write(
    'bundled.mjs',
    `const { HOST, API } = process.env;
     const browser = { HOST, API, fetch };
     new Function('globalThis', 'process', 'Buffer', 'setImmediate', ${JSON.stringify(code)})(browser);
     console.log(await browser.done);`,
  );
  assert.equal((await output(process.execPath, [script], packed.project, env)).trim(), '"from a bundle"');
});

test('the package is small: 4 KB for AuthenticationApi, 8 KB without keys', async () => {
  const sizes = {
    'AuthenticationApi alone': [4096, `export { AuthenticationApi } from '@mintmark/client';`],
    'everything, with both adapters': [
      8192,
      ['', '/openapi-fetch', '/typescript-fetch']
        .map((path) => `export * from '@mintmark/client${path}';`)
        .join(''),
    ],
    'privateKey alone': [4096, `export { privateKey } from '@mintmark/client/key';`],
    'identityToken and githubActions alone': [4096, `export * from '@mintmark/client/identity';`],
  } as const;
  for (const [name, [limit, code]] of Object.entries(sizes)) {
    const size = gzipSync(await bundle(code), { level: 9 }).length;
    console.log(`${name}: ${size} bytes bundled, minified and gzipped (at most ${limit})`);
    assert.ok(size <= limit, `${name}: ${size} bytes, more than ${limit}`);
  }
});

const expected = {
  token: true,
  one: true,
  bodies: ['"text"', '"blob"', '"a=b+c"', '"request"'],
  failure: [true, 404, 'unexpected_status'],
  aborted: 'enough',
  fromFile: 'from-file',
  events: ['renewal', 'request', 'response'],
  adapters: ['function', 'function'],
};

for (const name of runtimeNames) {
  test(`the installed package works under ${name}`, async (t) => {
    const { command, problem } = await runtime(name);
    if (problem !== undefined) return t.skip(problem);
    const directory = join(packed.project, `tokens-${name.replaceAll(' ', '-')}`);
    await mkdir(directory);
    const [executable, ...args] = [...command, 'smoke.mjs'];
    const printed = await output(executable, args, packed.project, { ...env, DIRECTORY: directory });
    const line = printed.split('\n').find((text) => text.startsWith('{"token"')) ?? '';
    assert.deepEqual(JSON.parse(line || 'null'), expected, printed);
    assert.doesNotMatch(printed, /sec\+ret|eyJ/);
  });
}

for (const name of runtimeNames) {
  test(`keys of each type sign under ${name}`, async (t) => {
    const { command, problem } = await runtime(name);
    if (problem !== undefined) return t.skip(problem);
    await using keyServer = await startAssertionServer();
    const files: string[] = [];
    for (const [type, options] of [
      ['ec', { namedCurve: 'P-256' }],
      ['ec', { namedCurve: 'P-384' }],
      ['rsa', { modulusLength: 2048 }],
      ['ed25519', {}],
    ] as const) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- its overloads take one type each
      const { privateKey, publicKey } = generateKeyPairSync(type as 'ec', options as { namedCurve: string });
      await keyServer.register('api_user', publicKey.export({ format: 'jwk' }));
      const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
      files.push(await packed.write(`keys/${files.length}.pem`, pem));
    }
    const script = await packed.write(
      'keys.mjs',
      `import { AuthenticationApi } from '@mintmark/client';
       import { fromEnv } from '@mintmark/client/env';
       for (const file of process.env.FILES.split(',')) {
         const env = { MINTMARK_CLIENT_ID: 'api_user', MINTMARK_CLIENT_KEY_FILE: file };
         await new AuthenticationApi(fromEnv({ host: process.env.HOST }, env)).oAuth2TokenPost();
       }`,
    );
    const [executable, ...args] = [...command, script];
    await output(executable, args, packed.project, { HOST: keyServer.host, FILES: files.join(',') });
    assert.deepEqual([keyServer.accepted.length, keyServer.refusals], [files.length, []]);
  });
}

for (const name of runtimeNames.filter((each) => each.startsWith('Node'))) {
  test(`the installed package can be required under ${name}`, async (t) => {
    const { command, problem } = await runtime(name);
    if (problem !== undefined) return t.skip(problem);
    const code = `console.log(typeof require('@mintmark/client').TokenManager);`;
    const script = await packed.write('required.cjs', code);
    assert.match(await output(command[0], [script], packed.project), /^function$/m);
  });
}
