// Rows of signing keys that this program did not write, or that an earlier version wrote.
import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { calculateJwkThumbprint, exportJWK, SignJWT, type JWK } from 'jose';
import type { Finding } from '../../src/doctor/finding.ts';
import { undoMigrations } from '@mintmark/test-support/former-migrations';
import { adminClient } from '@mintmark/test-support/admin';
import { temporaryFolder } from '@mintmark/test-support/command-line';
import { eventually } from '@mintmark/test-support/eventually';
import { mintmark, startServer, type TestServer } from '@mintmark/test-support/server';
import type { MadeApiUser } from '@mintmark/test-support/store';
import { changeStore, onPostgres, sqlOn, SQLITE_ONLY } from '@mintmark/test-support/store-under-test';

interface Intruder {
  kid: string;
  jwk: JWK;
  privateKey: KeyObject;
}

async function intruder(): Promise<Intruder> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = await exportJWK(publicKey);
  return { kid: await calculateJwkThumbprint(jwk), jwk, privateKey };
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;
const rowsOf = (dataDir: string): Record<string, unknown>[] =>
  sqlOn(join(dataDir, 'mintmark.db'), 'select * from signing_keys order by announced_at');

/** Tells servers to read the signing keys again, as a change by this program does. */
const ANNOUNCED = `update epoch set n = n + 1;
  insert into changes (n, noun, id, at) select n, 'signing_key', 'all', 0 from epoch`;

/** A statement that writes the key of the intruder, with columns of its own. */
function planted({ kid, jwk }: Intruder, columns: Record<string, string>): string {
  const all = {
    kid: quoted(kid),
    algorithm: "'ES256'",
    public_jwk: quoted(JSON.stringify(jwk)),
    announced_at: '1',
    activates_at: '2',
    ...columns,
  };
  return `insert into signing_keys (${Object.keys(all).join()}) values (${Object.values(all).join()})`;
}

/** Changes the store past the program, and waits until the server has read the keys again. */
async function tamper(server: TestServer, statements: string): Promise<void> {
  changeStore(server.dataDir, `${statements}; ${ANNOUNCED}`);
  const epoch = sqlOn(join(server.dataDir, 'mintmark.db'), 'select n from epoch')[0]?.['n'];
  await eventually(async () => {
    const metrics = await (await fetch(new URL('/metrics', server.url))).text();
    assert.ok(Number(/^mintmark_change_epoch (\d+)/m.exec(metrics)?.[1]) >= Number(epoch));
  });
}

async function publishedKids(server: TestServer): Promise<string[]> {
  const response = await fetch(`${server.url}/.well-known/jwks.json`);
  return ((await response.json()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
}

/** What doctor says of the signing keys. */
async function findings({ dataDir }: Pick<TestServer, 'dataDir'>): Promise<Finding[]> {
  const { out } = await mintmark(['doctor', '--json'], { env: { MINTMARK_DATA_DIR: dataDir } });
  return (JSON.parse(out) as Finding[]).filter(({ what }) => what === 'signing keys');
}

/** Whether the server calls a token active that it is asked about. */
async function isActive({ url }: TestServer, { client_id, client_secret }: MadeApiUser, token: string) {
  const body = new URLSearchParams({ client_id, client_secret, token });
  const response = await fetch(`${url}/oauth2/introspect`, { method: 'POST', body });
  assert.equal(response.status, 200, await response.clone().text());
  return ((await response.json()) as { active: boolean }).active;
}

describe('a key that somebody wrote into the database', () => {
  let server: TestServer;
  /** May administer and introspect. */
  let caller: MadeApiUser;
  before(async () => {
    server = await startServer();
    const scopes = ['--scope', 'mintmark:admin,mintmark:introspect'];
    caller = await server.json<MadeApiUser>('api-user', 'create', '--name', 'A', ...scopes);
    await eventually(() => adminClient(server, caller)); // known within a second
  });
  after(async () => await server[Symbol.asyncDispose]());

  const plantings: Record<string, (own: Record<string, unknown>) => Record<string, string>> = {
    'without a proof': () => ({}),
    'with a private key and proof made up': () => ({
      sealed_private_key: quoted(randomBytes(150).toString('base64url')),
      proof: quoted(createHash('sha256').update('x').digest('base64url')),
    }),
    'with the private key and proof of a good one': (own) => ({
      sealed_private_key: quoted(String(own['sealed_private_key'])),
      proof: quoted(String(own['proof'])),
    }),
    'as announced': () => ({ activates_at: String(Date.now() + 3_600_000) }),
    'as retired': () => ({ retires_at: '3' }),
    'with a public key that is not JSON': () => ({ public_jwk: quoted('garbage') }),
    'with null for a public key': () => ({ public_jwk: quoted('null') }),
  };
  for (const [how, columnsOf] of Object.entries(plantings)) {
    test(`${how} is not published, and log and doctor name it`, async () => {
      const [good = ''] = await publishedKids(server);
      const own = rowsOf(server.dataDir).find(({ kid }) => kid === good);
      const key = await intruder();
      await tamper(server, planted(key, columnsOf(own ?? {})));
      assert.deepEqual(await publishedKids(server), [good]);
      assert.match(server.output(), new RegExp(`${key.kid}.*has no valid proof and is not used`));
      const found = await findings(server);
      assert.deepEqual(
        found.map(({ state, detail }) => [state, detail.startsWith(key.kid)]),
        [['fail', true]],
        JSON.stringify(found),
      );
      const admin = await adminClient(server, caller);
      const listed = (await admin.get('/signing-keys')).body['items'] as { kid: string; proven: boolean }[];
      const proven = new Map(listed.map((each) => [each.kid, each.proven]));
      assert.deepEqual([proven.get(good), proven.get(key.kid)], [true, false]);
      const token = await new SignJWT({ client_id: server.clientId, scope: 'campaigns:read', jti: 'x' })
        .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: key.kid })
        .setIssuer(server.url)
        .setAudience(server.url)
        .setSubject(server.clientId)
        .setIssuedAt()
        .setExpirationTime('5m')
        .sign(key.privateKey);
      assert.equal(await isActive(server, caller, token), false);
      const answer = await server.post({ client_id: server.clientId, client_secret: server.clientSecret });
      assert.equal(answer.status, 200, 'the good key still signs');

      await server.cli('signing-key', 'rotate'); // which an announced one does not prevent
      const [last] = await findings(server);
      assert.equal(last?.state, 'ok', 'the rotation ends the planted key');
      assert.ok(!(await publishedKids(server)).includes(key.kid));
      // The next one is planted beside a single key again.
      const { kid } = await server.json<{ kid: string }>('signing-key', 'rotate', '--compromised');
      await eventually(async () => assert.deepEqual(await publishedKids(server), [kid]));
    });
  }
});

describe('a key that somebody wrote into the database of an earlier version', () => {
  test('before the first start of an upgraded store is not adopted', { skip: SQLITE_ONLY }, async () => {
    const { dataDir, port, own } = await formerStore();
    const [earlier, between] = [await intruder(), await intruder()];
    changeStore(dataDir, planted(earlier, { sealed_private_key: quoted(String(own['sealed_private_key'])) }));
    await mintmark(['migrate'], { env: { MINTMARK_DATA_DIR: dataDir } });
    changeStore(dataDir, planted(between, {}));
    await using server = await startServer({ dataDir, port });
    assert.deepEqual(await publishedKids(server), [own['kid']]);
    for (const { kid } of [earlier, between]) assert.ok(server.output().includes(kid));
    const proven = rowsOf(dataDir).filter(({ proof }) => proof !== null);
    assert.deepEqual(
      proven.map(({ kid }) => kid),
      [own['kid']],
    );
    assert.equal((await findings(server)).length, 2);
  });
});

test('a good key whose row was changed is no longer published', { timeout: 120_000 }, async () => {
  const changes = [
    'retires_at = 99999999999999',
    'removes_at = 99999999999999',
    'activates_at = activates_at - 1',
    'announced_at = announced_at - 1',
    `public_jwk = ${quoted(JSON.stringify((await intruder()).jwk))}`,
    "algorithm = 'EdDSA'",
    'proof = null',
  ];
  await using server = await startServer();
  const kids = [(await publishedKids(server))[0]!];
  for (const change of changes) {
    await tamper(server, `update signing_keys set ${change} where kid = ${quoted(kids.at(-1)!)}`);
    assert.deepEqual(await publishedKids(server), [], change);
    const [found] = await findings(server);
    assert.ok(found?.state === 'fail' && found.detail.startsWith(kids.at(-1)!), JSON.stringify(found));
    const { status } = await server.post({ client_id: server.clientId, client_secret: server.clientSecret });
    assert.equal(status, 503);
    const next = await server.json<{ kid: string }>('signing-key', 'rotate', '--now');
    await eventually(async () => assert.deepEqual(await publishedKids(server), [next.kid]));
    kids.push(next.kid);
    assert.equal((await findings(server))[0]?.state, 'ok', 'the rotation ends the changed key');
  }
});

test('keys keep their proofs through each kind of rotation', async () => {
  await using server = await startServer();
  for (const options of [[], ['--now'], ['--now'], ['--compromised'], []]) {
    await server.cli('signing-key', 'rotate', ...options);
    const found = await findings(server);
    assert.deepEqual(
      found.map(({ state }) => state),
      ['ok'],
      JSON.stringify(found),
    );
  }
  assert.ok(rowsOf(server.dataDir).every(({ proof }) => typeof proof === 'string'));
  assert.ok(!server.output().includes('no valid proof'));
});

test('keys of older processes are accepted and proven for a time', async () => {
  await using server = await startServer();
  const { kid } = await server.json<{ kid: string }>('signing-key', 'rotate');
  const until = (ms: number) =>
    `delete from meta where key = 'signing_key_proofs'; insert into meta values ('signing_key_proofs', '${ms}')`;
  await tamper(server, `update signing_keys set proof = null; ${until(Date.now() + 60_000)}`);
  assert.equal((await publishedKids(server)).length, 2);
  assert.equal((await findings(server))[0]?.state, 'ok');
  await eventually(
    async () => assert.ok(rowsOf(server.dataDir).every(({ proof }) => proof !== null)),
    30_000,
  );
  await tamper(
    server,
    `update signing_keys set proof = null where kid = ${quoted(kid)}; ${until(Date.now() - 1)}`,
  );
  assert.ok(!(await publishedKids(server)).includes(kid));
});

test('a backup of the version before is restored under a running server', { skip: SQLITE_ONLY }, async () => {
  await using server = await startServer();
  const kids = await publishedKids(server);
  const file = join(temporaryFolder(), 'backup.db');
  await server.cli('store', 'backup', file);
  using backup = new DatabaseSync(file);
  backup.exec(withoutProofs());
  backup.close();
  await server.cli('store', 'restore', file);
  await eventually(async () => {
    const [row] = rowsOf(server.dataDir);
    assert.ok(row?.['proof'] !== undefined && row['proof'] !== null);
  }, 30_000);
  assert.deepEqual(await publishedKids(server), kids);
  assert.ok(!server.output().includes('no valid proof'));
  const { status } = await server.post({ client_id: server.clientId, client_secret: server.clientSecret });
  assert.equal(status, 200);
});

/** What a store has of the version before the migration. */
function withoutProofs(): string {
  return undoMigrations('010-signing-key-proofs', 'sqlite').join('; ');
}

async function formerStore(): Promise<{ dataDir: string; port: number; own: Record<string, unknown> }> {
  assert.ok(!onPostgres);
  const server = await startServer();
  await server.stop();
  changeStore(server.dataDir, withoutProofs());
  return { dataDir: server.dataDir, port: server.port, own: rowsOf(server.dataDir)[0]! };
}
