// Test setup: PostgreSQL, faketime, own store, own limits, first.
// Clocks that differ: of one node, of all nodes, of a command line, and of PostgreSQL. Real processes under faketime.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { revocationDigest } from '../../src/domain/revocation.ts';
import { adminClient, assertProblem } from '@mintmark/test-support/admin';
import { binary } from '@mintmark/test-support/binary';
import { eventually } from '@mintmark/test-support/eventually';
import { fakeClock, faketimeMissing, type FakeClock } from '@mintmark/test-support/faketime';
import {
  becomes,
  keySet,
  kidOf,
  readinessOf,
  startNodes,
  statusOf,
  tokenOf,
  type Nodes,
} from '@mintmark/test-support/nodes';
import { postgresMissing } from '@mintmark/test-support/postgres-binaries';
import { startPostgres, type TestPostgres } from '@mintmark/test-support/postgres';
import { tcpProxy } from '@mintmark/test-support/tcp-proxy';
import type { TestServer } from '@mintmark/test-support/server';
import type { MadeApiUser } from '@mintmark/test-support/store';

const skip = postgresMissing() || faketimeMissing();
const HOUR_S = 3600;
/** A revocation ends after 25 minutes. Maintenance removes it ten minutes later. */
const REVOCATION_ENDED_S = 30 * 60;
/** Maintenance runs every ten seconds. */
const MAINTAINED_MS = 30_000;
const SEEN_MS = 10_000;

describe('nodes whose clocks differ', { skip }, () => {
  let server: TestPostgres;

  before(async () => {
    server = await startPostgres();
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
  });

  test('a node an hour ahead deletes no revocation', async () => {
    const database = await server.newDatabase();
    using clock = fakeClock(HOUR_S);
    await using nodes = await startNodes([server.url(database)], clock.variables);
    const user = await nodes.apiUser('Importer');
    await nodes.cli('api-user', 'disable', user.client_id, '--revoke-tokens');
    // Removed after revocations by the same run.
    await server.sql(
      `insert into invitations (digest, operator_id, created_at, expires_at) values ('old', null, 1, 2)`,
      database,
    );
    await eventually(
      async () => {
        return (await server.sql(`select 1 from invitations where digest = 'old'`, database)).length === 0;
      },
      MAINTAINED_MS,
      'maintenance has run',
    );
    assert.equal((await server.sql('select 1 from revocations', database)).length, 1);
  });

  test('a node with a wrong clock is unready until it is set', async () => {
    const database = await server.newDatabase();
    using clock = fakeClock(0);
    const url = server.url(database);
    await using nodes = await startNodes([url, url, url]);
    const user = await nodes.knownUser();
    const viewer = await nodes.apiUser('Viewer', '--scope', 'mintmark:admin');
    const [right, , other] = nodes.nodes as [TestServer, TestServer, TestServer];
    await other.stop();
    const wrong = await nodes.startAgain(other, clock.variables);
    await becomes(wrong, user, 200, SEEN_MS);
    const admin = await adminClient(wrong, viewer);
    clock.set(-HOUR_S);
    await eventually(async () => (await readinessOf(wrong)).status === 'clock_off', SEEN_MS, 'it says so');
    assert.equal((await readinessOf(wrong)).code, 503);
    await becomes(wrong, user, 503, SEEN_MS); // first the address limit may speak, whose window was set back, too
    assert.equal(await statusOf(wrong, user), 503, 'it issues nothing');
    assertProblem(await admin.send('POST', '/api-users', { name: 'Late' }), 503, 'unavailable');
    assert.equal((await readinessOf(right)).code, 200);
    await tokenOf(right, user);
    const metrics = await (await fetch(`http://127.0.0.1:${wrong.port}/metrics`)).text();
    assert.match(metrics, /^mintmark_clock_offset_seconds -3(599|600)/m);
    const { body } = await (await adminClient(right, viewer)).get('/overview');
    const [attention] = body['attention'] as { kind: string; detail: string }[];
    assert.equal(attention?.kind, 'clock');
    assert.match(attention.detail, /^Its clock is 3(599|600) s behind that of the store: set it/);
    assert.match(await doctorOn(url), /clock +.*:\d+: Its clock is 3(599|600) s behind/);
    assert.match(await doctorOn(url, clock.variables), /is 3(599|600) s behind the clock of the store/);
    clock.set(0);
    await eventually(async () => (await readinessOf(wrong)).code === 200, SEEN_MS, 'it is ready again');
    await becomes(wrong, user, 200, SEEN_MS);
  });

  test('with the store away nothing is concluded about clocks', async () => {
    const database = await server.newDatabase();
    using clock = fakeClock(0);
    await using proxy = await tcpProxy(server.port);
    const url = server.url(database).replace(`:${server.port}/`, `:${proxy.port}/`);
    await using nodes = await startNodes([url], clock.variables);
    const [node] = nodes.nodes as [TestServer];
    const user = await nodes.knownUser();
    proxy.cut();
    clock.set(60);
    await eventually(async () => (await readinessOf(node)).staleSeconds > 3, SEEN_MS, 'polls fail');
    assert.equal((await readinessOf(node)).status, 'ready');
    await tokenOf(node, user);
    // The machine may have slept for this hour: it counts as time without the store.
    clock.set(HOUR_S);
    await eventually(async () => (await readinessOf(node)).status === 'stale', SEEN_MS, 'it is stale');
    proxy.mend();
    await eventually(
      async () => (await readinessOf(node)).status === 'clock_off',
      SEEN_MS,
      'it is not ready',
    );
  });

  test('nodes that all agree against the store issue tokens', async () => {
    const database = await server.newDatabase();
    using clock = fakeClock(HOUR_S);
    const url = server.url(database);
    await using nodes = await startNodes([url, url], clock.variables);
    const user = await nodes.apiUser('Importer');
    for (const node of nodes.nodes) {
      await eventually(async () => (await readinessOf(node)).code === 200, SEEN_MS, 'it is ready');
      await becomes(node, user, 200, SEEN_MS);
      await eventually(() => /all processes agree/.test(node.output()), SEEN_MS, 'it says so');
    }
    assert.match(await doctorOn(url), /the store: All processes agree .* 3(599|600) s behind theirs/);
  });
});

describe('commands on a machine whose clock is wrong', { skip }, () => {
  let server: TestPostgres;
  let nodes: Nodes;
  let node: TestServer;
  let user: MadeApiUser;

  before(async () => {
    server = await startPostgres();
    nodes = await startNodes([server.url(await server.newDatabase())]);
    [node] = nodes.nodes as [TestServer];
    user = await nodes.knownUser();
  });
  after(async () => {
    await nodes[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  const kids = async () => (await keySet(node)).keys.map(({ kid }) => kid);

  for (const aheadSeconds of [HOUR_S, -HOUR_S]) {
    describe(`${aheadSeconds} s ahead`, () => {
      let clock: FakeClock;
      before(() => {
        clock = fakeClock(aheadSeconds);
        nodes.commandsOf({ settings: clock.variables });
      });
      after(() => clock[Symbol.dispose]());

      test('revoke every token that was issued until then', async () => {
        const introspecting = await nodes.apiUser('API', '--scope', 'mintmark:introspect');
        await becomes(node, introspecting, 200, SEEN_MS);
        const token = await tokenOf(node, user);
        await nodes.cli('api-user', 'revoke-tokens', user.client_id);
        await eventually(
          async () => {
            const { client_id, client_secret } = introspecting;
            const response = await fetch(`${node.url}/oauth2/introspect`, {
              method: 'POST',
              body: new URLSearchParams({ client_id, client_secret, token }),
            });
            return !((await response.json()) as { active: boolean }).active;
          },
          SEEN_MS,
          'it is revoked',
        );
      });

      test('announce a signing key before it signs', async () => {
        const old = kidOf(await tokenOf(node, user));
        const [made] = (await nodes.cli('signing-key', 'rotate')).split(' ');
        await eventually(async () => (await kids()).includes(made ?? ''), SEEN_MS, 'it is published');
        assert.equal(kidOf(await tokenOf(node, user)), old);
      });

      test('withdraw a compromised signing key at once', async () => {
        const old = kidOf(await tokenOf(node, user));
        const [made] = (await nodes.cli('signing-key', 'rotate', '--compromised')).split(' ');
        await eventually(async () => !(await kids()).includes(old), SEEN_MS, 'it is withdrawn');
        assert.equal(kidOf(await tokenOf(node, user)), made);
      });
    });
  }
});

test('a revocation is listed again when clocks that jumped are set back', { skip }, async () => {
  using clock = fakeClock(0);
  await using server = await startPostgres({ env: clock.variables });
  const url = server.url(await server.newDatabase());
  await using nodes = await startNodes([url], clock.variables);
  const [node] = nodes.nodes as [TestServer];
  const { client_id: clientId } = await nodes.apiUser('Importer');
  await nodes.cli('api-user', 'revoke-tokens', clientId);
  const isListed = async () => {
    const response = await fetch(`${node.url}/oauth2/revocations`);
    const body = Buffer.from(await response.arrayBuffer());
    return response.status === 200 && body.includes(Buffer.from(revocationDigest(clientId), 'hex'));
  };
  await eventually(isListed, SEEN_MS, 'it is listed');
  clock.set(REVOCATION_ENDED_S);
  await eventually(async () => !(await isListed()), SEEN_MS, 'by all clocks, it has ended');
  clock.set(0);
  await eventually(isListed, SEEN_MS, 'it is listed again');
});

/** What the doctor prints on this database. */
async function doctorOn(DATABASE_URL: string, more: Record<string, string> = {}): Promise<string> {
  const env = { DATABASE_URL, MINTMARK_MASTER_KEY: 'ab'.repeat(32), ...more };
  return (await binary(['doctor'], { env })).out;
}
