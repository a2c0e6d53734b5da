import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { publint } from 'publint';
import { rolldown } from 'rolldown';
import { projectWith, type PackedPackage, type Project } from '@mintmark/test-support/packed';
import { runtime, runtimeNames } from '@mintmark/test-support/runtimes';
import { API, revocationBody, startIssuer } from './support/issuer.ts';

// What npm would publish, as somebody who installs it finds it.

const ROOT = new URL('../../..', import.meta.url).pathname;
const PACKAGE = new URL('..', import.meta.url).pathname;
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');
const SUBPATHS = ['express', 'fastify', 'hono', 'node-http', 'fetch'];

const execute = promisify(execFile);
/** Without what the npm that runs these tests has put there. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_)/i.test(name)));
env['PATH'] = (process.env['PATH'] ?? '')
  .split(delimiter)
  .filter((folder) => !folder.includes('node_modules'))
  .join(delimiter);

let installation: Project;
let project: string;
let packed: PackedPackage;

before(async () => {
  installation = await projectWith('verifier');
  project = installation.folder;
  [packed] = installation.packed as [PackedPackage];
});
after(async () => await installation[Symbol.asyncDispose]());

/** From npm's cache, else from the registry, once. Without either a failure in CI, and a skip that says so elsewhere. */
function installed(t: TestContext): boolean {
  const { problem } = installation;
  if (problem === '') return true;
  if (process.env['CI'] !== undefined) assert.fail(`npm install failed:\n${problem}`);
  console.error(`SKIPPED: the packed verifier was not tried: jose could not be installed.\n${problem}`);
  t.skip('jose could not be installed from the npm cache or the registry');
  return false;
}

const USE = `
  import { createVerifier, AccessTokenError } from '@mintmark/verifier';
  ${SUBPATHS.map((path, i) => `import { createProtect as p${i} } from '@mintmark/verifier/${path}';`).join('\n')}
  if (![${SUBPATHS.map((_, i) => `p${i}`).join()}].every((one) => typeof one === 'function')) throw new Error('no adapter');
  const [issuer, audience, token] = process.argv.slice(2);
  const verifier = createVerifier({ issuer, audience });
  const { clientId } = await verifier.verify(token);
  const refused = await verifier.verify('x').catch((error) => error instanceof AccessTokenError && error.code);
  console.log(clientId, refused);
`;

for (const name of runtimeNames) {
  test(`the tarball works under ${name} from every subpath, freeing the process`, async (t) => {
    const { command, problem: missing } = await runtime(name);
    if (missing !== undefined) return t.skip(missing);
    if (!installed(t)) return;
    writeFileSync(join(project, 'use.mjs'), USE);
    await using issuer = await startIssuer();
    const [executable, ...args] = [...command, 'use.mjs', issuer.url, API, issuer.token()] as const;
    const running = execute(executable, args, { cwd: project, env, timeout: 30_000 });
    let printedAt = Infinity;
    running.child.stdout?.on('data', () => (printedAt = performance.now()));
    const { stdout, stderr } = await running;
    assert.equal(stdout.trim(), 'api_one authorization-token-invalid', stderr);
    assert.ok(performance.now() - printedAt < 4000, 'it went on after its last line');
  });
}

/** What workers and browsers run: one file, in which nothing of Node can be seen. */
const PORTABLE = `
  import { createVerifier } from '@mintmark/verifier';
  import { createProtect } from '@mintmark/verifier/fetch';
  ${SUBPATHS.map((path, i) => `export { createProtect as p${i} } from '@mintmark/verifier/${path}';`).join('\n')}
  const { issuer, audience, tokens } = globalThis.given;
  const handler = createProtect(createVerifier({ issuer, audience }))({}, (_, { clientId }) => new Response(clientId));
  globalThis.answer = async (token) => {
    const response = await handler(new Request(audience, { headers: { authorization: 'Bearer ' + token } }));
    return response.status === 200 ? await response.text() : response.status;
  };
`;

test('the tarball works without any module or global of Node', async (t) => {
  if (!installed(t)) return;
  await using issuer = await startIssuer();
  issuer.revocations = { body: revocationBody(['leaked'], { api_gone: 2_000_000_000 }) };
  writeFileSync(join(project, 'portable.mjs'), PORTABLE);
  const bundled = await rolldown({
    input: join(project, 'portable.mjs'),
    platform: 'browser',
    logLevel: 'silent',
  });
  const { output } = await bundled.generate({ format: 'iife', name: 'portable' });
  assert.doesNotMatch(output[0].code, /\brequire\(|["']node:(?!crypto)/);
  type Answer = (token: string) => Promise<string | number>;
  const browser: { given: object; fetch: typeof fetch; answer?: Answer } = {
    given: { issuer: issuer.url, audience: API },
    fetch,
  };
  // oxlint-disable-next-line typescript/no-implied-eval -- the bundle is what is tested
  new Function('globalThis', 'process', 'Buffer', 'setImmediate', 'global', output[0].code)(browser);
  const good = issuer.token();
  assert.equal(await browser.answer?.(good), 'api_one');
  assert.equal(await browser.answer?.(good), 'api_one');
  assert.equal(await browser.answer?.(issuer.token({ jti: 'leaked' })), 401);
  assert.equal(await browser.answer?.(issuer.token({ sub: 'api_gone', client_id: 'api_gone' })), 401);
  assert.equal(await browser.answer?.('x'), 401);
  assert.deepEqual([issuer.keySetFetches, issuer.revocationFetches], [1, 1]);
});

/** A program that uses every entry, as far as it needs no types of a runtime. */
const TYPED = `
  import { createVerifier, type AccessToken, type TokenRefusal, type Verifier } from '@mintmark/verifier';
  import { createProtect } from '@mintmark/verifier/node-http';
  ${SUBPATHS.map((path) => `export * as ${path.replace('-', '')} from '@mintmark/verifier/${path}';`).join('\n')}
  const reasons: string[] = [];
  const onRefused = (refusal: TokenRefusal) => void reasons.push(refusal.reason);
  const verifier: Verifier = createVerifier({ issuer: 'https://a.example', audience: 'b', algorithms: ['ES256'], onRefused });
  export const protect = createProtect(verifier)({ scope: 'a' }, (_q, response, caller) => response.end(caller.clientId));
  export const open = createProtect(verifier)({ anyScope: ['a'], check: ({ claims }) => claims['a'] === 1 }, () => {});
  export const has = (token: AccessToken): boolean => token.scopes.has('a');
  // @ts-expect-error: claims cannot be changed
  export const change = (token: AccessToken): void => void (token.clientId = 'x');
  // @ts-expect-error: a symmetric algorithm cannot be allowed
  createVerifier({ issuer: 'https://a.example', audience: 'b', algorithms: ['HS256'] });
  // @ts-expect-error: reasons are a fixed set of words
  export const never = (refusal: TokenRefusal): boolean => refusal.reason === 'because';
`;
/** What needs the types of a runtime, from wherever they come. */
const TYPED_WEB = `
  import { createProtect } from '@mintmark/verifier/fetch';
  const protect = createProtect({ issuer: 'https://a.example', audience: 'b' });
  export const handler: (request: Request) => Promise<Response> = protect({}, async (request, caller) =>
    new Response(await request.text() + caller.clientId));
`;
const TYPED_NODE = `
  import { createServer } from 'node:http';
  import { createProtect } from '@mintmark/verifier/node-http';
  const protect = createProtect({ issuer: 'https://a.example', audience: 'b' });
  createServer(protect({}, (request, response, caller) => {
    request.resume();
    response.writeHead(200).end(caller.clientId);
  }));
`;

const TYPESCRIPT_50 = join(ROOT, 'node_modules/typescript-5.0/bin/tsc');
const NODE_TYPES = { types: ['node'], typeRoots: [join(ROOT, 'node_modules/@types')] };

for (const [name, tsc, sources, options] of [
  ['TypeScript 5.0 and no types of a runtime', TYPESCRIPT_50, { TYPED }, { lib: ['es2022'], types: [] }],
  ['TypeScript 5.0 and the DOM', TYPESCRIPT_50, { TYPED, TYPED_WEB }, { lib: ['es2022', 'dom'], types: [] }],
  ['no types of a runtime', TSC, { TYPED }, { lib: ['es2022'], types: [] }],
  ['the types of Node', TSC, { TYPED, TYPED_WEB, TYPED_NODE }, { lib: ['es2022'], ...NODE_TYPES }],
] as const) {
  test(`the types of the tarball hold with ${name}, libraries checked`, async (t) => {
    if (!installed(t)) return;
    const files = Object.entries(sources).map(([file, source]) => {
      writeFileSync(join(project, `${file}.ts`), source);
      return `${file}.ts`;
    });
    for (const [module, moduleResolution] of [
      ['nodenext', 'nodenext'],
      ['esnext', 'bundler'],
    ] as const) {
      const strict = { strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false };
      const output = { target: 'es2022', noEmit: true };
      const compilerOptions = { ...strict, ...output, ...options, module, moduleResolution };
      writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
      await execute(process.execPath, [tsc, '-p', '.'], { cwd: project }).catch(
        (error: { stdout?: string }) => assert.fail(`${module}: ${error.stdout ?? 'tsc could not be run'}`),
      );
    }
  });
}

test('attw finds the types of every entry right under ESM', async () => {
  const attw = join(ROOT, 'node_modules/@arethetypeswrong/cli/dist/index.js');
  const args = [attw, packed.tarball, '--profile', 'esm-only', '--format', 'ascii'];
  // It exits with 1 when it finds a problem.
  const { stdout } = await execute(process.execPath, args, { cwd: project });
  for (const kind of ['node16 (from ESM)', 'bundler']) {
    assert.equal(stdout.split(`${kind}: 🟢`).length - 1, SUBPATHS.length + 1, stdout);
  }
});

test('publint finds nothing, and the tarball has only its files', async () => {
  const { messages } = await publint({
    pkgDir: packed.folder,
    strict: true,
    pack: false,
  });
  assert.deepEqual(messages, []);
  const files = execFileSync('tar', ['-tzf', packed.tarball], { encoding: 'utf8' }).trim().split('\n');
  for (const file of files)
    assert.match(file, /^package\/(dist\/[\w-]+\.(js|d\.ts)|package\.json|README\.md|LICENSE)$/);
  assert.ok(files.includes('package/LICENSE'));
  const manifest = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8')) as {
    dependencies: object;
    scripts: object;
  };
  assert.deepEqual(Object.keys(manifest.dependencies), ['jose']);
  assert.deepEqual(Object.keys(manifest.scripts), ['build', 'prepack']);
});
