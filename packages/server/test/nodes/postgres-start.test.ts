// Test setup: PostgreSQL, own store, own limits, first, long.
// First starts on PostgreSQL, and the way to it: many processes at once, TLS.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { loadConfig } from '../../src/config/load-config.ts';
import { openStore } from '../../src/store-files/open.ts';
import { MIGRATION_NAMES } from '../../src/storage/migrations/names.ts';
import { tlsModeFor } from '../../src/storage/postgres/target.ts';
import { refusedWith } from '../storage/store-contract.ts';
import { binary } from '@mintmark/test-support/binary';
import { startPostgres, type TestPostgres } from '@mintmark/test-support/postgres';
import { postgresMissing } from '@mintmark/test-support/postgres-binaries';
import { startServer, type TestServer } from '@mintmark/test-support/server';

const skip = postgresMissing();
const PROCESSES = 10;

describe('the first start on PostgreSQL', { skip }, () => {
  let server: TestPostgres;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server[Symbol.asyncDispose]());

  test('of ten processes at once creates one store, and all serve', async () => {
    const env = {
      DATABASE_URL: server.url(await server.newDatabase()),
      MINTMARK_MASTER_KEY: 'ab'.repeat(32),
    };
    const servers = await Promise.all(
      Array.from({ length: PROCESSES }, () => startServer({ env, readyMs: 150_000 })),
    );
    try {
      const first = servers.filter(({ clientId }) => clientId !== '');
      assert.equal(first.length, 1, 'one showed the secret');
      const keySets = await Promise.all(servers.map(keySetOf));
      assert.deepEqual(new Set(keySets).size, 1, 'all publish the same keys');
      const { clientId: client_id, clientSecret: client_secret } = first[0]!;
      for (const each of servers) {
        each.noteSecret(client_secret);
        const { status } = await each.post({ client_id, client_secret });
        assert.equal(status, 200);
      }
      const migrated = servers.flatMap((each) => migratedBy(each.output()));
      assert.deepEqual(migrated.toSorted(), MIGRATION_NAMES, 'each migration ran once');
      for (const each of servers) await each.stop();
    } finally {
      await Promise.allSettled(servers.map((each) => each[Symbol.asyncDispose]()));
    }
  });

  test('of ten migrate commands at once runs each migration once', async () => {
    const env = { DATABASE_URL: server.url(await server.newDatabase()) };
    const runs = await Promise.all(
      Array.from({ length: PROCESSES }, () => binary(['migrate', '--json'], { env })),
    );
    for (const { code, err } of runs) assert.equal(code, 0, err);
    const migrated = runs.flatMap(({ out }) => (JSON.parse(out) as { migrated: string[] }).migrated);
    assert.deepEqual(migrated.toSorted(), MIGRATION_NAMES);
  });
});

function migratedBy(output: string): string[] {
  const line = output.split('\n').find((one) => one.includes('the store was migrated'));
  return line === undefined ? [] : (JSON.parse(line) as { migrated: string[] }).migrated;
}

async function keySetOf({ url }: TestServer): Promise<string> {
  return await (await fetch(`${url}/.well-known/jwks.json`)).text();
}

describe('TLS to PostgreSQL', { skip }, () => {
  // A folder that the server's own user may enter.
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-tls-'));
  chmodSync(folder, 0o755);
  const file = (name: string) => join(folder, name);
  let server: TestPostgres;
  let database: string;

  before(async () => {
    authority('ca');
    authority('other');
    certificate('server', 'ca', 'DNS:localhost');
    server = await startPostgres({
      settings: { ssl: 'on', ssl_cert_file: file('server.pem'), ssl_key_file: file('server.key') },
      own: [file('server.key')],
    });
    database = await server.newDatabase();
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  const url = (host: string, parameters: string) =>
    `${server.url(database).replace('@127.0.0.1:', `@${host}:`)}?${parameters}`;

  async function encrypted(at: string): Promise<boolean> {
    const { store } = await openStore(loadConfig({ DATABASE_URL: at }), { watch: false });
    try {
      const rows = await server.sql<{ ssl: boolean }>(
        `select bool_and(ssl) as ssl from pg_stat_ssl join pg_stat_activity using (pid) where datname = '${database}'`,
      );
      return rows[0]?.ssl === true;
    } finally {
      await store.close();
    }
  }

  const refused = async (at: string, text: RegExp) => {
    const config = loadConfig({ DATABASE_URL: at });
    const error = await refusedWith('cannot_open', openStore(config, { watch: false }));
    assert.match(error.message, text);
  };

  test('succeeds with the right authority and host name', async () => {
    assert.equal(
      await encrypted(url('localhost', `sslmode=verify-full&sslrootcert=${file('ca.pem')}`)),
      true,
    );
  });

  test('is refused for an authority that is not known, or another one', async () => {
    const text =
      /^The certificate of PostgreSQL at localhost:\d+ is not accepted \(.*\): name the file of its authority/;
    await refused(url('localhost', 'sslmode=verify-full'), text);
    await refused(url('localhost', `sslmode=verify-ca&sslrootcert=${file('other.pem')}`), text);
    await refused(url('localhost', `sslmode=require&sslrootcert=${file('other.pem')}`), text);
  });

  test('is refused for another host name, except with verify-ca', async () => {
    const parameters = `sslrootcert=${file('ca.pem')}`;
    await refused(url('127.0.0.1', `sslmode=verify-full&${parameters}`), /is not accepted \(.*127\.0\.0\.1/);
    assert.equal(await encrypted(url('127.0.0.1', `sslmode=verify-ca&${parameters}`)), true);
  });

  test('skips the certificate check or TLS only on request', async () => {
    assert.equal(await encrypted(url('127.0.0.1', 'sslmode=require')), true);
    assert.equal(await encrypted(url('127.0.0.1', 'sslmode=disable')), false);
    assert.equal(await encrypted(url('127.0.0.1', '')), false, 'on this machine, none is the default');
  });

  test('is refused without server TLS, and bad files are named', async () => {
    await using plain = await startPostgres();
    await refused(`${plain.url('postgres')}?sslmode=require`, /does not speak TLS: turn it on there/);
    await refused(
      url('localhost', `sslmode=verify-full&sslrootcert=${file('none.pem')}`),
      /none\.pem .*cannot be read/,
    );
    await refused(
      url('localhost', `sslmode=require&sslcert=${file('server.pem')}&sslkey=${file('ca.pem')}`),
      /What sslcert, sslkey and sslrootcert in DATABASE_URL name cannot be used/,
    );
  });

  test('is verified by default on the way to any other machine', () => {
    const tls = { mode: null, rootCertificateFile: null, certificateFile: null, keyFile: null };
    const target = { servers: [], database: 'x', user: 'x', password: null, tls, applicationName: 'x' };
    const modes = ['db.example.com', '10.0.0.1', 'localhost', '127.0.0.1', '::1', '/run/postgresql'].map(
      (host) => tlsModeFor(target, { host, port: 5432 }),
    );
    assert.deepEqual(modes, ['verify-full', 'verify-full', 'disable', 'disable', 'disable', 'disable']);
  });

  function openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  }

  function authority(name: string): void {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}.key`];
    openssl('req', '-x509', ...key, '-out', `${name}.pem`, '-subj', `/CN=${name}`, '-days', '2');
  }

  function certificate(name: string, by: string, alternative: string): void {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}.key`];
    const issuer = ['-CA', `${by}.pem`, '-CAkey', `${by}.key`];
    const names = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=${alternative}`];
    openssl('req', '-x509', ...key, '-out', `${name}.pem`, ...names, ...issuer, '-days', '2');
  }
});
