import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { freePort } from '@mintmark/test-support/free-port';
import { run } from '../src/main.ts';
import { startReferenceServer } from './support/reference-server.ts';
import { listening, type Subject } from './support/subject.ts';

// The command line: arguments, reports, exit codes, and no secret in any of them.

const BINARY = new URL('../bin/mintmark-conformance.mjs', import.meta.url).pathname;

let folder: string;
before(() => (folder = mkdtempSync(join(tmpdir(), 'mintmark-conformance-'))));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, content = ''): string {
  const path = join(folder, name);
  if (content !== '') writeFileSync(path, content);
  return path;
}

/** The arguments that name everything about this server. */
function argumentsFor({ target }: Subject): string[] {
  const { client, otherClient, keyClient } = target;
  assert.ok(otherClient !== undefined && keyClient !== undefined && keyClient !== 'none');
  const jwk = { ...keyClient.signer.key.export({ format: 'jwk' }), kid: keyClient.signer.kid };
  return [
    target.url,
    ...flags({
      'client-id': client.id,
      'client-secret-file': file('secret', `${client.secret}\n`),
      'other-client-id': otherClient.id,
      'other-client-secret-file': file('other', otherClient.secret),
      'key-client-id': keyClient.id,
      'key-file': file('key.json', JSON.stringify(jwk)),
      scope: (target.scopes ?? []).join(' '),
      resource: target.resource ?? '',
      'protected-url': target.protectedUrl ?? '',
    }),
  ];
}

function flags(options: Readonly<Record<string, string>>): string[] {
  return Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
}

async function conformance(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const code = await run(argv, {
    out: (text) => (out += `${text}\n`),
    err: (text) => (err += `${text}\n`),
  });
  return { code, out, err };
}

test('a server that follows every rule gets exit code 0', async () => {
  await using server = await startReferenceServer(null);
  const { code, out, err } = await conformance(...argumentsFor(server));
  assert.equal(code, 0, out + err);
  assert.match(out, /\n\d+ checks: \d+ passed, 0 MUST failed, 0 SHOULD failed, .* 0 need more from you\.\n$/);
});

test('a failed MUST gets exit code 1 and four reports without secrets', async () => {
  await using server = await startReferenceServer('response-pragma');
  const files = { json: file('r.json'), junit: file('r.xml'), markdown: file('r.md') };
  const { code, out } = await conformance(...argumentsFor(server), ...flags(files));
  assert.equal(code, 1);
  assert.match(out, /^fail +MUST +response-pragma {2}\(RFC 6749 §5\.1\)\n/m);
  const [json, junit, markdown] = Object.values(files).map((path) => readFileSync(path, 'utf8'));
  const { summary, results } = JSON.parse(json ?? '') as { summary: object; results: { id: string }[] };
  assert.deepEqual({ ...summary, pass: 0 }, { ...summary, pass: 0, fail: 1, failedMust: 1, failedShould: 0 });
  assert.ok(results.some(({ id }) => id === 'response-pragma'));
  assert.match(junit ?? '', /failures="1" errors="0" skipped="0"/);
  assert.match(
    markdown ?? '',
    /\| `response-pragma` \| RFC 6749 §5\.1 \| MUST \|.*\| fail: pragma is missing\. \|/,
  );
  assertNoSecret(server, [out, json, junit, markdown].join('\n'));
});

test('a server that echoes every request gets reports without secrets', async () => {
  // It answers every request with what it was sent.
  const echo = createServer((request, response) => {
    response.setHeader('Content-Type', 'application/json');
    response.setHeader('X-Echo', request.headers.authorization ?? 'none');
    request.pipe(response);
  });
  await using reference = await startReferenceServer(null);
  const url = await listening(echo);
  const json = file('echo.json');
  const args = argumentsFor(reference).map((each) => (each === reference.target.url ? url : each));
  const { code, out } = await conformance(...args, '--json', json);
  echo.closeAllConnections();
  echo.close();
  assert.equal(code, 1);
  assertNoSecret(reference, out + readFileSync(json, 'utf8'));
});

function assertNoSecret({ target }: Subject, text: string): void {
  const secrets = [target.client, target.otherClient].flatMap((client) => {
    const { id = '', secret = '' } = client ?? {};
    const encoded = new URLSearchParams({ secret }).toString().slice('secret='.length);
    const basic = Buffer.from(`${new URLSearchParams({ id }).toString().slice(3)}:${encoded}`);
    return [secret, encodeURIComponent(secret), encoded, basic.toString('base64')];
  });
  for (const secret of secrets) assert.ok(!text.includes(secret), 'a secret is in a report');
  assert.doesNotMatch(text, /eyJ[\w-]{10,}\.[\w-]+\./);
}

test('a failed SHOULD fails the run only with --strict', async () => {
  await using server = await startReferenceServer('response-expires-in');
  const args = [...argumentsFor(server), '--only', 'response-expires-in'];
  assert.equal((await conformance(...args)).code, 0);
  assert.equal((await conformance(...args, '--strict')).code, 1);
});

test('a declared deviation passes only if it is seen as declared', async () => {
  await using server = await startReferenceServer('client-wrong-form-status');
  const args = [...argumentsFor(server), '--only', 'client-wrong-form-status', '--only', 'response-pragma'];
  const declared = { check: 'client-wrong-form-status', seen: 'The status is 403', reason: 'Our way.' };
  const deviations = (...list: object[]) => ['--deviations', file('deviations.json', JSON.stringify(list))];
  const right = await conformance(...args, ...deviations(declared));
  assert.equal(right.code, 0, right.out);
  assert.match(right.out, /^deviation +MUST +client-wrong-form-status[^]*Declared: Our way\./m);
  const other = await conformance(...args, ...deviations({ ...declared, seen: 'The status is 402' }));
  assert.equal(other.code, 1);
  const stale = await conformance(
    ...args,
    ...deviations(declared, { ...declared, check: 'response-pragma' }),
  );
  assert.equal(stale.code, 1);
  assert.match(stale.err, /the declared deviation of response-pragma was not seen/);
});

test('a client without a token judges nothing that needs one', async () => {
  await using server = await startReferenceServer('token-issued');
  const { code, out } = await conformance(...argumentsFor(server));
  assert.equal(code, 1);
  assert.match(out, /^fail +MUST +token-issued/m);
  assert.match(out, /^needs +MUST +assertion-expired/m);
  assert.doesNotMatch(out, /^pass +MUST +(client|assertion|introspection|bearer)-/m);
});

test('a run waits as long as rate limits say', async () => {
  const statuses: number[] = [];
  const limited = createServer((request, response) => {
    const isToken = request.url === '/token';
    const status = isToken ? (statuses.length % 2 === 0 ? 429 : 200) : 404;
    if (isToken) statuses.push(status);
    response.writeHead(status, { 'Retry-After': '0' });
    response.end(JSON.stringify({ access_token: 'a-token', token_type: 'Bearer' }));
  });
  const url = await listening(limited);
  const args = ['--client-id', 'a', '--client-secret-file', file('secret', 'a-secret')];
  const { code, out } = await conformance(url, ...args, '--only', 'token-issued');
  limited.close();
  assert.equal(code, 0, out);
  assert.deepEqual(statuses, [429, 200, 429, 200, 429, 200]);
});

test('wrong arguments are all named at once, with exit code 2', async () => {
  const key = file('not-a-key', 'nothing');
  const { code, err } = await conformance(
    'ftp://a',
    ...flags({
      'client-id': 'a',
      only: 'b',
      'key-client-id': 'k',
      'key-file': key,
      'jwks-uri': 'x',
      deviations: file('list.json', '[{"check":"c","seen":1}]'),
    }),
  );
  assert.equal(code, 2);
  for (const fault of [
    /"ftp:\/\/a" is not an http or https URL/,
    /--client-id and --client-secret-file go together/,
    /--only: there is no check "b"/,
    /--key-file: ".*not-a-key" is neither a private key/,
    /--jwks-uri: "x" is not/,
    /--deviations: \[0\]\.seen must be a text/,
    /--deviations: \[0\]\.reason must be a text/,
    /--deviations: \[0\]\.check: there is no check "c"/,
  ])
    assert.match(err, fault);
});

test('a server that cannot be reached gets exit code 3', async () => {
  const url = `http://127.0.0.1:${await freePort()}`;
  const secret = file('secret', 'a-secret');
  const { code, err } = await conformance(url, '--client-id', 'a', '--client-secret-file', secret);
  assert.equal(code, 3);
  assert.match(err, /cannot be reached/);
});

test('the program prints help, version and the list of checks', async () => {
  const execute = promisify(execFile);
  const printed = async (option: string) => (await execute(process.execPath, [BINARY, option])).stdout;
  assert.match(await printed('--help'), /^Usage: mintmark-conformance <issuer URL>/);
  assert.match(await printed('--version'), /^\d+\.\d+\.\d+\n$/);
  assert.match(await printed('--list'), /^response-no-store\n {4}MUST, RFC 6749 §5\.1: /m);
});
