import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { compactVerify, createRemoteJWKSet } from 'jose';
import { revocationDigest } from '../../src/domain/revocation.ts';
import { createRevocationList } from '../../src/runtime/revocations/revocation-list.ts';
import { sortedEntries } from '../../src/runtime/revocations/sorted-entries.ts';
import { eventually } from '@mintmark/test-support/eventually';
import { mintmark, startServer, type TestServer } from '@mintmark/test-support/server';
import { newStore } from '@mintmark/test-support/store';
import { changeStore, onPostgres, sqlOn } from '@mintmark/test-support/store-under-test';
import { temporaryStore } from '@mintmark/test-support/temporary-store';

// The revocation list as a verifier reads it: docs/decisions/012.

interface ReadList {
  etag: string;
  statement: { iss: string; iat: number; n: number; sha256: string };
  tokens: string[];
  /** Digest → tokens issued before, in seconds. */
  apiUsers: Map<string, number>;
}

/** Fetches the list, checks its statement with a library that is not ours, and takes it apart. */
async function readList(server: TestServer): Promise<ReadList> {
  const response = await fetch(`${server.url}/oauth2/revocations`);
  assert.equal(response.status, 200);
  const body = Buffer.from(await response.arrayBuffer());
  const statement = await statementOf(server, response);
  assert.equal(statement.sha256, createHash('sha256').update(body).digest('base64url'));
  return { etag: response.headers.get('etag') ?? '', statement, ...parseList(body) };
}

async function statementOf(server: TestServer, response: Response): Promise<ReadList['statement']> {
  const keys = createRemoteJWKSet(new URL(`${server.url}/.well-known/jwks.json`));
  const { payload, protectedHeader } = await compactVerify(
    response.headers.get('mintmark-revocations') ?? '',
    keys,
  );
  assert.equal(protectedHeader.typ, 'mintmark-revocations+jwt');
  return JSON.parse(Buffer.from(payload).toString()) as ReadList['statement'];
}

function parseList(body: Buffer): Pick<ReadList, 'tokens' | 'apiUsers'> {
  assert.equal(body.toString('latin1', 0, 4), 'MMRL');
  const [version, tokenCount, apiUserCount] = [4, 8, 12].map((at) => body.readUInt32BE(at));
  assert.equal(version, 1);
  assert.equal(body.length, 16 + 16 * (tokenCount ?? 0) + 24 * (apiUserCount ?? 0));
  const tokens: string[] = [];
  let at = 16;
  for (; tokens.length < (tokenCount ?? 0); at += 16) tokens.push(body.toString('hex', at, at + 16));
  const apiUsers = new Map<string, number>();
  for (; at < body.length; at += 24) {
    apiUsers.set(body.toString('hex', at, at + 16), Number(body.readBigUInt64BE(at + 16)));
  }
  for (const digests of [tokens, [...apiUsers.keys()]])
    assert.deepEqual(digests, [...new Set(digests)].sort());
  return { tokens, apiUsers };
}

describe('the list of a server', () => {
  let server: TestServer;
  before(async () => {
    server = await startServer();
  });
  after(async () => await server[Symbol.asyncDispose]());

  test('is empty and signed while it is new, and the metadata says where it is', async () => {
    const metadata = (await (
      await fetch(`${server.url}/.well-known/oauth-authorization-server`)
    ).json()) as Record<string, unknown>;
    assert.equal(metadata['revocation_list_uri'], `${server.url}/oauth2/revocations`);
    const list = await readList(server);
    assert.equal(list.statement.iss, server.url);
    assert.ok(Math.abs(list.statement.iat - Date.now() / 1000) < 5, `${list.statement.iat}`);
    assert.deepEqual([list.tokens, list.apiUsers.size], [[], 0]);
  });

  test('has the tokens that are revoked by command within a second, and nobody else’s', async () => {
    const empty = await readList(server);
    const askedAt = Math.floor(Date.now() / 1000);
    const printed = await server.json('api-user', 'revoke-tokens', server.clientId);
    const list = await eventually(async () => {
      const current = await readList(server);
      assert.equal(current.apiUsers.size, 1);
      return current;
    }, 1000);
    const issuedBefore = list.apiUsers.get(revocationDigest(server.clientId)) ?? 0;
    assert.ok(issuedBefore > askedAt && issuedBefore <= Date.now() / 1000 + 2, `${issuedBefore}`);
    assert.equal(Date.parse(printed['revoked_issued_before'] as string) / 1000, issuedBefore);
    assert.ok(list.statement.n > empty.statement.n, 'the number of the change that is in it');
    assert.notEqual(list.etag, empty.etag);
  });

  test('that has not changed is answered with 304 and a statement that is no older', async () => {
    const list = await readList(server);
    const headers = { 'if-none-match': list.etag };
    const response = await fetch(`${server.url}/oauth2/revocations`, { headers });
    assert.equal(response.status, 304);
    assert.equal(response.headers.get('cache-control'), 'public, max-age=1');
    const statement = await statementOf(server, response);
    assert.equal(statement.sha256, list.statement.sha256);
    assert.ok(statement.iat >= list.statement.iat);
  });
});

const REVOKING = {
  disabled: (id: string) => ['api-user', 'disable', id],
  deleted: (id: string) => ['api-user', 'delete', id],
  reset: (id: string) => ['credential', 'reset', id, '--overlap', '0', '--force'],
  retired: (_: string, credentialId: string) => ['credential', 'retire', credentialId, '--force'],
};

test('an API user that is disabled, deleted, reset or retired has its tokens revoked with --revoke-tokens, and not without', async () => {
  const store = await newStore();
  const expected = new Map<string, string>();
  for (const [what, args] of Object.entries(REVOKING)) {
    const [kept, cut] = [await store.apiUser('kept'), await store.apiUser('cut')];
    await store.json(args(kept.client_id, kept.credential_id));
    await store.json([...args(cut.client_id, cut.credential_id), '--revoke-tokens']);
    expected.set(what, revocationDigest(cut.client_id));
  }
  await using server = await store.start();
  const { apiUsers } = await readList(server);
  for (const [what, digest] of expected) assert.ok(apiUsers.has(digest), what);
  assert.equal(apiUsers.size, expected.size);
});

test('what was revoked is still on the list after a kill and a restart', async () => {
  await using server = await startServer();
  await server.cli('api-user', 'revoke-tokens', server.clientId);
  await server.kill();
  const { dataDir, port, clientId } = server;
  await using restarted = await startServer({ dataDir, port });
  assert.ok((await readList(restarted)).apiUsers.has(revocationDigest(clientId)));
});

const LONG_LIST = 200_000;

test('every revocation made during a start is on the list', { timeout: 120_000 }, async () => {
  const store = await newStore();
  const users = Array.from({ length: 100 }, (_, i) => `caller-${i}`);
  const lines = users.map((clientId) => JSON.stringify({ client_id: clientId, name: clientId }));
  const env = { MINTMARK_DATA_DIR: store.dataDir };
  const imported = await mintmark(['api-user', 'import', '-'], { env, stdin: lines.join('\n') });
  assert.equal(imported.code, 0, imported.err);
  changeStore(store.dataDir, revokedTokens(LONG_LIST, Date.now() + 3_600_000));
  const revoked: string[] = [];
  let ready = false;
  const starting = store.start().finally(() => (ready = true));
  for (const clientId of users) {
    if (ready) break;
    await store.json(['api-user', 'revoke-tokens', clientId]);
    revoked.push(clientId);
    await sleep(20);
  }
  await using server = await starting;
  const epoch = sqlOn(join(store.dataDir, 'mintmark.db'), 'select n from epoch')[0]?.['n'] as number;
  const list = await eventually(async () => {
    const current = await readList(server);
    assert.ok(current.statement.n >= epoch, `${current.statement.n} of ${epoch}`);
    return current;
  });
  assert.equal(list.tokens.length, LONG_LIST);
  const missing = revoked.filter((clientId) => !list.apiUsers.has(revocationDigest(clientId)));
  assert.deepEqual(missing, [], `of ${revoked.length}`);
});

/** Statements that put revocations of single tokens into the store, past the program. */
function revokedTokens(count: number, removesAt: number): string {
  const rows = onPostgres
    ? `select md5(i::text), null, ${removesAt} from generate_series(1, ${count}) i`
    : `with recursive numbers (i) as (select 1 union all select i + 1 from numbers where i < ${count})
       select lower(hex(randomblob(16))), null, ${removesAt} from numbers`;
  return `insert into revocations (digest, issued_before, removes_at) ${rows}`;
}

test('revoking the tokens of an API user that is not there says so', async () => {
  const { dataDir } = await newStore();
  const { code, err } = await mintmark(['api-user', 'revoke-tokens', 'api_none'], {
    env: { MINTMARK_DATA_DIR: dataDir },
  });
  assert.equal(code, 3);
  assert.match(err, /There is no API user "api_none"/);
});

test('a revocation is published until its time is over, and then removed from the store', async () => {
  await using opened = await temporaryStore();
  const { store } = opened;
  const revocation = { digest: revocationDigest('api_one'), issuedBefore: 1000, removesAt: 2000 };
  const later = { digest: revocationDigest('token'), issuedBefore: null, removesAt: 3000 };
  await store.write(async ({ revocations }) => {
    await revocations.put(revocation);
    await revocations.put(later);
  });
  const list = createRevocationList(store.revocations);
  await list.load();
  const at = (nowMs: number) => parseList(list.published(nowMs).body);
  assert.deepEqual([at(1999).apiUsers.size, at(1999).tokens.length], [1, 1]);
  assert.deepEqual([at(2000).apiUsers.size, at(2000).tokens.length], [0, 1]);
  assert.deepEqual([at(3000).apiUsers.size, at(3000).tokens.length], [0, 0]);
  assert.equal(await store.write(({ revocations }) => revocations.deleteOver(2000, 10)), 1);
  assert.deepEqual(await store.revocations.page('', 10), [later]);
});

test('of two revocations of one API user the later times hold, in whatever order they come', async () => {
  await using opened = await temporaryStore();
  const digest = revocationDigest('api_one');
  const [early, late] = [
    { digest, issuedBefore: 1000, removesAt: 9000 },
    { digest, issuedBefore: 2000, removesAt: 8000 },
  ];
  for (const order of [
    [early, late],
    [late, early],
  ]) {
    for (const one of order) await opened.store.write(({ revocations }) => revocations.put(one));
    assert.deepEqual(await opened.store.revocations.find([digest]), [
      { digest, issuedBefore: 2000, removesAt: 9000 },
    ]);
  }
});

test('entries are kept sorted, each key once, through any puts and ends', () => {
  const change = fc.record({ key: fc.nat(40), end: fc.nat(20), dropAt: fc.option(fc.nat(20)) });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 300 }), (changes) => {
      const entries = sortedEntries(2, 1);
      const model = new Map<number, { value: number; end: number }>();
      for (const [i, { key, end, dropAt }] of changes.entries()) {
        entries.put(Buffer.from([key, i % 256]), end);
        const old = model.get(key) ?? { value: 0, end: 0 };
        model.set(key, { value: Math.max(old.value, i % 256), end: Math.max(old.end, end) });
        if (dropAt === null) continue;
        const over = [...model].filter(([, one]) => one.end <= dropAt);
        for (const [gone] of over) model.delete(gone);
        assert.equal(entries.dropOver(dropAt), over.length > 0);
      }
      const expected = [...model].sort(([a], [b]) => a - b).flatMap(([key, { value }]) => [key, value]);
      assert.deepEqual([...entries.bytes()], expected);
      assert.equal(entries.size(), model.size);
    }),
  );
});
