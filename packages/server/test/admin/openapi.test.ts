import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ADMIN_API_FILE, documentAt, GOLDEN, withRoutesTable } from '../../../../scripts/openapi.ts';
import { PROBLEM_CODES } from '../../src/http/admin/problem.ts';
import { adminClient, type AdminClient } from '@mintmark/test-support/admin';
import { finished } from '@mintmark/test-support/binary';
import { adminDocument, checked } from '@mintmark/test-support/described';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser } from '@mintmark/test-support/store';

// The admin API as it is described: by its own OpenAPI document, and in docs/admin-api.md.

let server: TestServer;
let admin: AdminClient;
let caller: MadeApiUser;

before(async () => {
  const store = await newStore();
  caller = await store.apiUser('Deployment', '--scope', 'mintmark:admin');
  server = await store.start({ MINTMARK_ADMIN_ADDRESS_LIMIT: '1000000' });
  admin = await adminClient(server, caller);
});
after(async () => await server[Symbol.asyncDispose]());

/** What a browser with a session calls, what never ends, and members: their own tests have it. */
const ELSEWHERE = /^\/(session|profile|invitations|events|organisations\/[^/]+\/(members|usage))/;

async function callOrganisationRoutes(clientId: string): Promise<void> {
  const made = await admin.send('POST', '/organisations', { name: 'Agency', policy: { scopes: ['a'] } });
  const path = `/organisations/${String(made.body['id'])}`;
  await admin.send('PATCH', path, { contact: 'ops' }, { 'If-Match': '*' });
  const to = { client_ids: [clientId], keep_credentials: true };
  await admin.send('POST', '/api-users/move', { ...to, organisation_id: made.body['id'] });
  await admin.send('POST', `${path}/policy-check`, { policy: { scopes: [] } });
  for (const read of ['/organisations', path, `${path}/violations`, '/audience-settings'])
    await admin.get(read);
  for (const action of ['disable', 'enable']) await admin.send('POST', `${path}/${action}`, {});
  await admin.send('POST', '/api-users/move', { ...to, organisation_id: null });
  await admin.send('PUT', '/audience-settings', { audience: 'https://api.example/', token_life_seconds: 60 });
  await admin.send('POST', '/token-preview', { client_id: clientId });
  const removed = await admin.send('DELETE', path);
  assert.equal(removed.status, 204, removed.text);
}

test('every route answers as the document says, and is in it', async () => {
  const made = async (path: string, body: object): Promise<Record<string, Record<string, unknown>>> => {
    const reply = await admin.send('POST', path, body);
    assert.equal(reply.status, 201, reply.text);
    if (reply.body['client_secret'] !== undefined) server.noteSecret(reply.body['client_secret'] as string);
    return reply.body as Record<string, Record<string, unknown>>;
  };
  const { api_user: user = {}, credential = {} } = await made('/api-users', {
    name: 'Described',
    scopes: ['a'],
  });
  const path = `/api-users/${String(user['client_id'])}`;
  await made(`${path}/credentials`, { name: 'second' });
  await made(`${path}/reset`, { name: 'third', overlap_seconds: 60, force: true });
  await admin.send('PATCH', `/credentials/${String(credential['id'])}`, { name: 'renamed' });
  await admin.send('POST', `/credentials/${String(credential['id'])}/retire`, { force: true });
  await admin.send('PATCH', path, { name: 'Changed' }, { 'If-Match': '*' });
  for (const action of ['disable', 'enable', 'revoke-tokens']) await admin.send('POST', `${path}/${action}`);
  const cutOff = await admin.send('POST', `${path}/cut-off`, { new_secret: true });
  server.noteSecret(cutOff.body['client_secret'] as string);
  await admin.send('POST', `${path}/trust-check`, { token: 'not a token' });
  const { link = {}, url } = await made(`${path}/secret-links`, { name: 'by a link' });
  const token = (url as unknown as string).replace(/.*#/, '');
  server.noteSecret(token);
  await admin.get(`${path}/secret-links`);
  await admin.send('POST', '/secret-links/inspect', { token });
  const opened = await admin.send('POST', '/secret-links/open', { token });
  server.noteSecret(opened.body['client_secret'] as string);
  await admin.send('DELETE', `${path}/secret-links/${String(link['id'])}`);
  const lines = { 'Content-Type': 'application/x-ndjson' };
  await admin.send('POST', '/api-users/import', '{"name":"Imported"}\n', lines);
  await made('/signing-keys/rotate', {});
  const { operator = {} } = await made('/operators', { email: 'new@example.com', role: 'viewer' });
  const operatorPath = `/operators/${String(operator['id'])}`;
  await admin.send('PATCH', operatorPath, { role: 'operator' });
  await made(`${operatorPath}/invitation`, {});
  await admin.send('DELETE', operatorPath);
  await callOrganisationRoutes(String(user['client_id']));
  for (const read of [
    '/openapi.json',
    '/api-users',
    '/api-users/export',
    path,
    `${path}/credentials`,
    `${path}/key-sources`,
    `${path}/history`,
    `${path}/refused-requests`,
    '/refused-requests',
    `${path}/usage`,
    '/usage',
    `/usage/recent?ids=${String(user['client_id'])}`,
    '/overview',
    '/signing-keys',
    '/operators',
    '/audit',
    '/audit/export',
    '/audit/verification',
  ]) {
    const reply = await admin.get(read);
    assert.equal(reply.status, 200, `${read}: ${reply.text}`);
  }
  assert.equal((await admin.send('DELETE', path)).status, 204);

  const { paths } = await adminDocument(server.port);
  const described = Object.entries(paths)
    .filter(([at]) => !ELSEWHERE.test(at))
    .flatMap(([, operations]) => Object.values(operations).map(({ operationId }) => operationId));
  const answered = new Set(Array.from(checked, (what) => what.split(' ')[0]));
  assert.deepEqual(
    described.filter((id) => !answered.has(id)),
    [],
    'described, and not asked for here',
  );
  assert.equal(new Set(described).size, described.length, 'an operation id stands twice');
});

test('the golden OpenAPI documents in docs/ are those of the server', async () => {
  for (const [path, file] of Object.entries(GOLDEN)) {
    const golden: unknown = JSON.parse(readFileSync(file, 'utf8'));
    assert.deepEqual(await documentAt(server, path), golden, `${path}: run npm run openapi`);
  }
});

test('docs/admin-api.md has every route and every problem code', async () => {
  const text = readFileSync(ADMIN_API_FILE, 'utf8');
  const cells = (all: string) => all.replaceAll(/ +/g, ' ').replaceAll(/-{3,}/g, '---');
  const expected = withRoutesTable(text, await adminDocument(server.port));
  assert.equal(cells(text), cells(expected), 'run npm run openapi');
  for (const code of PROBLEM_CODES) assert.match(text, new RegExp(`^\\| \`${code}\` `, 'm'));
});

test('every command of docs/admin-api.md runs as it stands, one after the other', async () => {
  const text = readFileSync(ADMIN_API_FILE, 'utf8');
  const blocks = Array.from(text.matchAll(/^```sh\n([^]*?)^```$/gm), ([, commands = '']) => commands);
  assert.ok(blocks.length >= 8);
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-docs-'));
  try {
    const child = spawn('bash', ['-c', `set -euo pipefail\n${blocks.join('\n')}`], {
      cwd: folder,
      env: {
        PATH: process.env['PATH'] ?? '',
        ISSUER: server.url,
        CLIENT_ID: caller.client_id,
        CLIENT_SECRET: caller.client_secret,
      },
    });
    const { code, out, err } = await finished(child);
    assert.equal(code, 0, `${err}\n${out}`);
    for (const file of ['made.json', 'second.json', 'fresh.json']) {
      const shown = JSON.parse(readFileSync(join(folder, file), 'utf8')) as { client_secret: string };
      assert.match(shown.client_secret, /^mms_/, file);
      server.noteSecret(shown.client_secret);
    }
    assert.match(readFileSync(join(folder, 'api-users.ndjson'), 'utf8'), /"digest":/);
    assert.match(out, /"outcome":"done","made":1,"refused":0/);
    assert.match(out, /"action":"api_user.delete"/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
