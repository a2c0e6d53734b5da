// Test setup: PostgreSQL, own store, own limits, first.
// Three servers on one PostgreSQL: a change that is made through one is seen by all within a second.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JSONWebKeySet } from 'jose';
import { becomes, report, startNodes, statusOf, type Nodes } from '@mintmark/test-support/nodes';
import { postgresMissing } from '@mintmark/test-support/postgres-binaries';
import { startPostgres, type TestPostgres } from '@mintmark/test-support/postgres';
import { median } from '@mintmark/test-support/ranks';
import type { TestServer } from '@mintmark/test-support/server';
import type { MadeApiUser } from '@mintmark/test-support/store';

const NODES = 3;
const WITHIN_MS = 1000;
const ROUNDS = 7;

const ways: [name: string, settings: Record<string, string>][] = [
  ['with NOTIFY', {}],
  ['by the poll alone', { MINTMARK_POSTGRES_LISTEN: 'false' }],
];

describe('three nodes on one PostgreSQL', { skip: postgresMissing() }, () => {
  let server: TestPostgres;
  before(async () => {
    server = await startPostgres();
  });
  after(async () => await server[Symbol.asyncDispose]());

  for (const [way, settings] of ways) describe(way, () => nodesFollow(() => server, way, settings));
});

function nodesFollow(server: () => TestPostgres, way: string, settings: Record<string, string>): void {
  let three: Nodes;
  before(async () => {
    const url = server().url(await server().newDatabase());
    three = await startNodes(
      Array.from({ length: NODES }, () => url),
      settings,
    );
  });
  after(async () => {
    await three[Symbol.asyncDispose]();
  });

  /** Milliseconds until the last of the nodes says so, counted from the end of the command. */
  async function allBecome(user: MadeApiUser, status: number): Promise<number> {
    return Math.max(
      ...(await Promise.all(three.nodes.map((node) => becomes(node, user, status, WITHIN_MS)))),
    );
  }

  test('an API user that is disabled or enabled is so on every node within a second', async () => {
    const user = await three.apiUser('Importer');
    await allBecome(user, 200);
    const tookMs: number[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      await three.cli('api-user', 'disable', user.client_id, '--force');
      tookMs.push(await allBecome(user, 403));
      await three.cli('api-user', 'enable', user.client_id);
      tookMs.push(await allBecome(user, 200));
      await sleep(Math.random() * 250); // at any moment between two polls
    }
    report(`${way}: until all ${NODES} nodes follow`, {
      p50_ms: median(tookMs),
      most_ms: Math.max(...tookMs),
    });
  });

  test('a secret that is reset, a limit and a new signing key hold on every node within a second', async () => {
    const user = await three.apiUser('Importer');
    await allBecome(user, 200);
    const reset = ['credential', 'reset', user.client_id, '--overlap', '0', '--force', '--json'];
    const { client_secret } = JSON.parse(await three.cli(...reset)) as MadeApiUser;
    await Promise.all([allBecome(user, 403), allBecome({ ...user, client_secret }, 200)]);
    await three.cli('api-user', 'update', user.client_id, '--limit', '1');
    await Promise.all(three.nodes.map((node) => becomes(node, { ...user, client_secret }, 429, WITHIN_MS)));
    const { kid } = JSON.parse(await three.cli('signing-key', 'rotate', '--now', '--json')) as {
      kid: string;
    };
    const startedAt = performance.now();
    for (const node of three.nodes) while (!(await keyIds(node)).includes(kid)) await sleep(5);
    assert.ok(performance.now() - startedAt < WITHIN_MS);
    const other = await three.apiUser('Exporter');
    await allBecome(other, 200);
    for (const node of three.nodes) assert.equal(await signedBy(node, other), kid);
  });

  test('tokens that are revoked are on the list of every node within a second', async () => {
    const user = await three.apiUser('Importer');
    await allBecome(user, 200);
    const earlier = await Promise.all(three.nodes.map(revocations));
    await three.cli('api-user', 'revoke-tokens', user.client_id);
    const startedAt = performance.now();
    for (const [i, node] of three.nodes.entries()) {
      while ((await revocations(node)).equals(earlier[i] ?? Buffer.alloc(0))) {
        assert.ok(performance.now() - startedAt < WITHIN_MS);
        await sleep(5);
      }
    }
  });

  test('an API user that is made is known to every node at once', async () => {
    const user = await three.apiUser('Importer');
    for (const node of three.nodes) assert.ok((await becomes(node, user, 200, WITHIN_MS)) < WITHIN_MS);
    assert.equal(await statusOf(three.nodes[0]!, user), 200);
  });
}

async function keyIds({ url }: TestServer): Promise<(string | undefined)[]> {
  const response = await fetch(`${url}/.well-known/jwks.json`);
  return ((await response.json()) as JSONWebKeySet).keys.map(({ kid }) => kid);
}

async function signedBy(node: TestServer, { client_id, client_secret }: MadeApiUser): Promise<string> {
  const { body } = await node.post({ client_id, client_secret });
  const [head = ''] = String(body['access_token']).split('.');
  return (JSON.parse(Buffer.from(head, 'base64url').toString()) as { kid: string }).kid;
}

async function revocations({ url }: TestServer): Promise<Buffer> {
  const response = await fetch(`${url}/oauth2/revocations`);
  return Buffer.from(await response.arrayBuffer());
}
