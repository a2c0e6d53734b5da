// Test setup: jose, authlib, own store, own limits.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { newSigner, type Signer } from '@mintmark/test-support/assertions';
import { authlibMissing, authlibPython, joseMissing } from '@mintmark/test-support/debian-programs';
import { eventually } from '@mintmark/test-support/eventually';
import { startServer, type TestServer } from '@mintmark/test-support/server';
import { REFUSAL_REASONS } from '../../src/domain/refusal.ts';

// Every command of docs/secretless.md runs: as it is written, but for the URL of the server, the client id, and
// programs of platforms, in whose place programs of the same name print what the platform would.

const ROOT = join(import.meta.dirname, '../../../..');
const PAGE = readFileSync(join(ROOT, 'docs/secretless.md'), 'utf8');
const ISSUER = 'https://auth.example.com/marketing';
const BINARY = join(ROOT, 'packages/server/bin/mintmark.mjs');

interface Block {
  language: string;
  text: string;
}

/** The code blocks of each section, by its heading. */
function sections(): Map<string, Block[]> {
  const parts = PAGE.split(/^##+ (.+)$/m).slice(1);
  const blocks = (text: string): Block[] =>
    Array.from(text.matchAll(/^```(\w+)\n(.*?)^```$/gms), ([, language = '', code = '']) => {
      return { language, text: code };
    });
  const entries = parts.flatMap((heading, i) =>
    i % 2 === 0 ? [[heading, blocks(parts[i + 1] ?? '')] as const] : [],
  );
  return new Map(entries);
}

const SECTIONS = sections();

let server: TestServer;
let platform: Server;
let folder: string;
let signer: Signer;

before(async () => {
  server = await startServer({ env: { MINTMARK_ADDRESS_LIMIT: '1000000' } });
  signer = await newSigner('RS256');
  folder = mkdtempSync(join(tmpdir(), 'mintmark-docs-'));
  platform = createServer((request, response) => {
    const token = readFileSync(join(folder, 'platform.jwt'), 'utf8');
    const isGoogle = request.url?.includes('service-accounts') === true;
    response.end(isGoogle ? token : JSON.stringify({ value: token }));
  }).listen(0, '127.0.0.1');
  await once(platform, 'listening');
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  mkdirSync(join(folder, 'bin'));
  program('mintmark', `exec ${process.execPath} ${BINARY} "$@" $MINTMARK_MORE`);
  // Trust rules get the keys of the test, because the issuers of the page are not reached.
  program('jwks', `cat ${join(folder, 'keys.jwks')}`);
  writeFileSync(join(folder, 'keys.jwks'), JSON.stringify({ keys: [signer.jwk] }));
  const token = `cat ${join(folder, 'platform.jwt')}`;
  program('gh', 'echo 123456');
  program('gcloud', 'echo 113837281937461928374');
  program('kubectl', `case "$*" in *jwks) jwks;; *) echo '{"issuer":"https://oidc.eks.example"}';; esac`);
  program('aws', `case "$1" in sts) ${token};; *) echo https://x.tokens.sts.global.api.aws;; esac`);
  program('az', `case "$*" in *get-access-token*) ${token};; *) echo 0a1b2c3d;; esac`);
  program('spire-agent', `printf '[{"svids":[{"svid":"%s"}]}]' "$(${token})"`);
});
after(async () => {
  platform.close();
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

function program(name: string, script: string): void {
  const path = join(folder, 'bin', name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}

async function newApiUser(): Promise<string> {
  const made = await server.json<{ client_id: string }>('api-user', 'create', '--name', 'A', '--no-secret');
  return made.client_id;
}

/** The text of a block for this test. */
function local(text: string, clientId: string): string {
  const { port } = platform.address() as AddressInfo;
  return text
    .replaceAll(ISSUER, server.url)
    .replaceAll('api_…', clientId)
    .replaceAll('http://metadata.google.internal', `http://127.0.0.1:${port}`)
    .replaceAll('/var/run/secrets/mintmark/token', join(folder, 'platform.jwt'));
}

async function run(file: string, parameters: string[], more: Record<string, string> = {}): Promise<string> {
  const { port } = platform.address() as AddressInfo;
  const env = {
    PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`,
    MINTMARK_DATA_DIR: server.dataDir,
    MINTMARK_ISSUER: server.url,
    AUTHLIB_INSECURE_TRANSPORT: 'true',
    ACTIONS_ID_TOKEN_REQUEST_URL: `http://127.0.0.1:${port}/?api-version=2.0`,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'of-the-job',
    ...more,
  };
  const { stdout } = await promisify(execFile)(file, parameters, { cwd: folder, env });
  return stdout;
}

async function shell(text: string, clientId: string, more: Record<string, string> = {}): Promise<string> {
  return await run('bash', ['--norc', '-euo', 'pipefail', '-c', local(text, clientId)], more);
}

const inRepository = (name: string) => JSON.stringify(join(ROOT, 'packages/client/src', name));

/** Runs a module; the SDK from its sources, and openid-client without TLS. */
async function module(text: string, clientId: string): Promise<string> {
  const source = local(text, clientId)
    .replace("'@mintmark/client/key'", inRepository('key.ts'))
    .replace("'@mintmark/client'", inRepository('index.ts'))
    .replace('PrivateKeyJwt(key));', 'PrivateKeyJwt(key), { execute: [client.allowInsecureRequests] });');
  writeFileSync(join(folder, 'snippet.mts'), source);
  return await run(process.execPath, ['snippet.mts']);
}

function block(section: string, language: string, index = 0): string {
  const found = (SECTIONS.get(section) ?? []).filter((each) => each.language === language)[index];
  assert.ok(found, `${section}: no block ${language} ${index}`);
  return found.text;
}

/** Asserts that the output is an access token, alone or in a response. */
function assertToken(output: string, clientId: string): void {
  const [token = ''] = /eyJ[\w-]+\.[\w-]+\.[\w-]+/.exec(output) ?? [];
  assert.notEqual(token, '', output); // not yet a token: an empty text would be found in every log
  server.noteSecret(token);
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString() || '{}') as object;
  assert.equal((claims as { sub?: string }).sub, clientId, output);
}

describe('docs/secretless.md, a key of its own', () => {
  let clientId: string;
  before(async () => {
    clientId = await newApiUser();
  });

  test('with the command line', async () => {
    const lines = block('With the command line', 'sh').trimEnd().split('\n');
    await shell(lines.slice(0, 2).join('\n'), clientId);
    await eventually(async () => assertToken(await shell(lines.slice(2).join('\n'), clientId), clientId));
  });

  test('with the SDK and openid-client', async () => {
    for (const section of ['With the SDK', 'With openid-client'])
      assertToken(await module(block(section, 'ts'), clientId), clientId);
  });

  test('with Python and authlib', { skip: authlibMissing() }, async () => {
    const script = local(block('With Python and authlib', 'python'), clientId);
    assertToken(await run(authlibPython() ?? '', ['-c', script]), clientId);
  });

  test('with curl and jose', { skip: joseMissing() }, async () => {
    const own = await newApiUser();
    await shell(block('With curl and jose', 'sh'), own);
    await eventually(async () => assertToken(await shell(block('With curl and jose', 'sh', 1), own), own));
  });
});

interface PresetVector {
  preset: string;
  claims: Record<string, unknown> & { iat: number };
  rule: { issuer: string; lifeSecondsMax: number };
}

const VECTORS = (
  JSON.parse(readFileSync(join(ROOT, 'test-vectors/trust-presets.json'), 'utf8')) as {
    presets: PresetVector[];
  }
).presets;

/** Signs claims as the platform's issuer does, with times of today, into the file that its programs print. */
async function platformToken(preset: string, audience: string): Promise<void> {
  const vector = VECTORS.find((each) => each.preset === preset);
  assert.ok(vector);
  const now = Math.floor(Date.now() / 1000);
  const times = Object.entries(vector.claims).filter(([name]) => ['iat', 'nbf', 'exp'].includes(name));
  const moved = times.map(([name, value]) => [name, Number(value) - vector.claims.iat + now]);
  const claims = { ...vector.claims, ...Object.fromEntries(moved), aud: audience, jti: crypto.randomUUID() };
  writeFileSync(join(folder, 'platform.jwt'), await signer.sign(claims));
}

/** How the workload gets `token.jwt`, from the blocks of the section. */
const WORKLOADS: Record<string, { preset: string; fetchToken(section: string): string }> = {
  'GitHub Actions': {
    preset: 'github',
    fetchToken(section) {
      const { jobs } = parse(block(section, 'yaml')) as { jobs: { deploy: { steps: { run: string }[] } } };
      return jobs.deploy.steps.map(({ run: script }) => script).join('\n');
    },
  },
  'GitLab CI/CD': {
    preset: 'gitlab',
    fetchToken: (section) =>
      (parse(block(section, 'yaml')) as { deploy: { script: string[] } }).deploy.script.join('\n'),
  },
  Kubernetes: { preset: 'kubernetes', fetchToken: (section) => block(section, 'sh', 1) },
  AWS: { preset: 'aws', fetchToken: (section) => block(section, 'sh', 1) },
  'Google Cloud': { preset: 'google', fetchToken: (section) => block(section, 'sh', 1) },
  'Microsoft Entra': { preset: 'entra', fetchToken: (section) => block(section, 'sh', 1) },
  SPIFFE: { preset: 'spiffe', fetchToken: (section) => block(section, 'sh', 1) },
};

describe('docs/secretless.md, tokens of a platform', () => {
  for (const [section, { preset, fetchToken }] of Object.entries(WORKLOADS)) {
    test(section, async () => {
      const clientId = await newApiUser();
      const [, audience = server.url] = /--aud (\S+)/.exec(block(section, 'sh')) ?? [];
      await platformToken(preset, audience);
      const create = block(section, 'sh').includes('--jwks') ? '' : `--jwks ${join(folder, 'keys.jwks')}`;
      await shell(block(section, 'sh'), clientId, { MINTMARK_MORE: create });
      const token = readFileSync(join(folder, 'platform.jwt'), 'utf8');
      server.noteSecret(token);
      await shell(fetchToken(section), clientId, { WORKLOAD_TOKEN: token });
      assert.equal(readFileSync(join(folder, 'token.jwt'), 'utf8').trim(), token);
      const checked = await shell(block('Why was it refused?', 'sh'), clientId);
      assert.match(checked, /lets it in/);
      await eventually(async () => {
        assertToken(await shell(block('Tokens of a platform', 'sh'), clientId), clientId);
      });
    });
  }

  test('Any other issuer', async () => {
    const clientId = await newApiUser();
    const more = { MINTMARK_MORE: `--jwks ${join(folder, 'keys.jwks')}` };
    await shell(block('Any other issuer', 'sh'), clientId, more);
    const times = { iat: Math.floor(Date.now() / 1000), exp: Math.floor(Date.now() / 1000) + 60 };
    const claims = { iss: 'https://ci.example.com', sub: 'project:importer:7', aud: server.url, ref: 'main' };
    writeFileSync(join(folder, 'token.jwt'), await signer.sign({ ...claims, ...times }));
    await eventually(async () => {
      assertToken(await shell(block('Tokens of a platform', 'sh'), clientId), clientId);
    });
  });
});

test('docs/secretless.md requests tokens for the issuer in its YAML', () => {
  const gitlab = parse(block('GitLab CI/CD', 'yaml')) as { deploy: { id_tokens: object } };
  assert.deepEqual(gitlab.deploy.id_tokens, { WORKLOAD_TOKEN: { aud: ISSUER } });
  const pod = parse(block('Kubernetes', 'yaml')) as {
    spec: { volumes: { projected: { sources: { serviceAccountToken: { audience: string } }[] } }[] };
  };
  assert.equal(pod.spec.volumes[0]?.projected.sources[0]?.serviceAccountToken.audience, ISSUER);
  const github = parse(block('GitHub Actions', 'yaml')) as { jobs: { deploy: { permissions: object } } };
  assert.deepEqual(github.jobs.deploy.permissions, { 'id-token': 'write' });
});

test('docs/secretless.md runs every block, and explains every reason of an assertion', () => {
  const count = Array.from(SECTIONS.values()).flat().length;
  assert.equal(count, 24);
  const [, table = ''] = PAGE.split('## Why was it refused?');
  const explained = Array.from(table.matchAll(/^\| (`.+?) +\|/gm), ([, cell = '']) =>
    cell.split(', ').map((reason) => reason.replaceAll('`', '')),
  ).flat();
  const from = REFUSAL_REASONS.indexOf('malformed_assertion');
  const to = REFUSAL_REASONS.indexOf('expired_trust_rule');
  const reasons = [...REFUSAL_REASONS.slice(from, to + 1), 'keys_away'];
  assert.deepEqual(explained.toSorted(), reasons.toSorted());
});
