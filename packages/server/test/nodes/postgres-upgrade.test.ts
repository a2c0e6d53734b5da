// Test setup: PostgreSQL, Redis, own store, own limits, first, long.
// Three nodes of a version of the program that was written before a migration, upgraded under load to the one of today.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { MIGRATION_NAMES } from '../../src/storage/migrations/names.ts';
import { adminClient } from '@mintmark/test-support/admin';
import { eventually } from '@mintmark/test-support/eventually';
import {
  formerVersion,
  formerVersionMissing,
  type FormerVersion,
} from '@mintmark/test-support/former-version';
import {
  becomes,
  disabledWithin,
  kidOf,
  report,
  startNodes,
  tokenOf,
  type Nodes,
} from '@mintmark/test-support/nodes';
import { postgresMissing } from '@mintmark/test-support/postgres-binaries';
import { startPostgres, type TestPostgres } from '@mintmark/test-support/postgres';
import { redisMissing, startRedis, type TestRedis } from '@mintmark/test-support/redis';
import type { TestServer } from '@mintmark/test-support/server';
import type { MadeApiUser } from '@mintmark/test-support/store';
import { underLoad } from '@mintmark/test-support/under-load';

const NODES = 3;
const WITHIN_MS = 1000;
/** So many, with a credential each, that what a migration does to them takes its time. */
const API_USERS = 50_000;
/** The program before each of them still runs with the packages of today. */
const MIGRATIONS = ['007-api-user-filters', '008-passwords', '010-signing-key-proofs', '013-client-id-keys'];
const SETTINGS = {
  MINTMARK_PROCESSES: String(NODES),
  MINTMARK_LIMITS_DEADLINE: '200', // with all on two cores
  MINTMARK_DRAIN: '500',
};

for (const migration of MIGRATIONS) {
  const missing = postgresMissing() || redisMissing() || formerVersionMissing(migration);
  describe(`three nodes of the version before ${migration}`, { skip: missing }, () => upgrading(migration));
}

function upgrading(migration: string): void {
  let former: FormerVersion;
  let postgres: TestPostgres;
  let database: string;
  let redis: TestRedis;
  let three: Nodes;
  let user: MadeApiUser;
  let admin: MadeApiUser;
  before(async () => {
    former = formerVersion(migration);
    postgres = await startPostgres();
    database = await postgres.newDatabase();
    redis = await startRedis();
    three = await startNodes(
      Array.from({ length: NODES }, () => postgres.url(database)),
      { ...SETTINGS, REDIS_URL: redis.url },
      former,
    );
    user = await three.apiUser('Importer');
    admin = await three.apiUser('Admin', '--scope', 'mintmark:admin');
    await fill(user);
    for (const node of three.nodes) await becomes(node, admin, 200, 10_000);
  });
  after(async () => {
    await three[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
    await postgres[Symbol.asyncDispose]();
    former[Symbol.dispose]();
  });

  /** Many like this one. */
  async function fill({ client_id: clientId, credential_id: id }: MadeApiUser): Promise<void> {
    const copied = async (table: string, changes: string, which: string) =>
      await postgres.sql(
        `insert into ${table} select (jsonb_populate_record(one, jsonb_build_object(${changes}))).*
           from ${table} one, generate_series(1, ${API_USERS}) i where ${which}`,
        database,
      );
    await copied('api_users', `'client_id', 'api_like' || i`, `client_id = '${clientId}'`);
    const like = `'id', lpad(i::text, ${id.length}, '0'), 'client_id', 'api_like' || i`;
    await copied('credentials', like, `id = '${id}'`);
  }

  async function applied(): Promise<string[]> {
    const rows = await postgres.sql<{ name: string }>(
      'select name from kysely_migration order by name',
      database,
    );
    return rows.map(({ name }) => name);
  }

  async function send(node: TestServer, path: string, body: object): Promise<Record<string, unknown>> {
    const reply = await (await adminClient(node, admin)).send('POST', path, body);
    assert.ok(reply.status < 300, reply.text);
    return reply.body;
  }

  async function allSignWith(kid: unknown): Promise<void> {
    for (const node of three.nodes) {
      await eventually(
        async () => {
          return kidOf(await tokenOf(node, user)) === kid;
        },
        WITHIN_MS,
        `it signs with ${String(kid)}`,
      );
    }
  }

  /** What the command line or one of these nodes changes, all follow. */
  async function followedBy(...makers: TestServer[]): Promise<number> {
    const seenMs = [await disabledWithin(three)];
    for (const node of makers) {
      const path = (clientId: string) => `/api-users/${clientId}/disable`;
      // The former version neither knows `force` nor asks for it.
      const force = node === three.nodes.at(-1) ? {} : { force: true };
      const byNode = async (clientId: string) =>
        await send(node, path(clientId), { ...force, revoke_tokens: true });
      seenMs.push(await disabledWithin(three, three.nodes, byNode));
      await allSignWith((await send(node, '/signing-keys/rotate', { mode: 'now' }))['kid']);
      const made = await send(node, '/api-users', { name: 'Made by a node' });
      const { client_id } = made['api_user'] as MadeApiUser;
      const caller = { ...(made as unknown as MadeApiUser), client_id };
      for (const each of three.nodes) await becomes(each, caller, 200, WITHIN_MS);
    }
    return Math.max(...seenMs);
  }

  test('are upgraded one by one under load, without a refusal', async () => {
    const had = await applied();
    assert.ok(had.at(-1)! < migration, had.join());
    await using load = await underLoad(three.nodes, user);
    const nodeMs: number[] = [];
    const seenMs: number[] = [];
    const last = three.nodes.at(-1)!;
    for (const node of Array.from(three.nodes)) {
      const startedAt = performance.now();
      await node.stop();
      const upgraded = await three.startAgain(node);
      nodeMs.push(performance.now() - startedAt);
      const made = MIGRATION_NAMES.slice(had.length);
      if (nodeMs.length === 1) assert.ok(upgraded.output().includes(`"migrated":${JSON.stringify(made)}`));
      three.commandsOf({}); // those of the former version refuse a store that is newer
      if (node !== last) seenMs.push(await followedBy(upgraded, last)); // one of each version
      await load.more();
    }
    const p99Ms = load.lapP99Ms();
    const { issued, afterMs } = await load.stop();
    await three.cli('audit', 'verify'); // of entries of both versions
    report(`rolling upgrade from ${former.commit}, before ${migration}`, {
      issued,
      p99Ms,
      afterMs,
      nodeMs: Math.max(...nodeMs),
      seenMs: Math.max(...seenMs),
    });
  });
}
