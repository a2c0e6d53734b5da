// API users that an import makes per second on SQLite and on PostgreSQL, through `mintmark api-user import` and
// through the admin API, in turns. Each has a secret. PostgreSQL waits for the disk at each commit, as SQLite does.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BINARY } from '@mintmark/test-support/binary';
import { startPostgres } from '@mintmark/test-support/postgres';
import { startServer, type TestServer } from '@mintmark/test-support/server';
import { secretDigest } from '../packages/server/src/domain/secret.ts';
import { secretAt } from './population.ts';
import { quantile } from './ratios.ts';
import { table } from './table.ts';

/** Lines of one import: as many as the admin API reads in one request. */
const LINES = 20_000;
const ROUNDS = 5;
const PER_SECOND_MIN = 5000;

/** The first one administers. */
function lineOf(i: number): string {
  const secret = secretAt(i);
  return JSON.stringify({
    name: `Importer of customer ${i}`,
    username: i % 2 === 0 ? `user${i}@customer.example` : null,
    contact: `team-${i % 500}@customer.example`,
    scopes: ['campaigns:read'],
    credentials: [
      { id: secret.slice(4, 14), kind: 'secret', name: 'production', digest: secretDigest(secret) },
    ],
  });
}

/** Text of the next lines, which no earlier import made. */
function createLines(): () => string {
  let made = 0;
  return () => {
    const first = made;
    made += LINES;
    return `${Array.from({ length: LINES }, (_, i) => lineOf(first + i)).join('\n')}\n`;
  };
}

interface Target {
  name: string;
  env: Record<string, string>;
  server: TestServer;
  token: string;
}

/** Starts a server on a new store. */
async function targetOf(name: string, dataDir: string, store: Record<string, string>): Promise<Target> {
  const env = { ...store, MINTMARK_ADMIN_ADDRESS_LIMIT: '1000000000' };
  const server = await startServer({ dataDir, env });
  const { client_id, client_secret } = await server.json<{ client_id: string; client_secret: string }>(
    ...['api-user', 'create', '--name', 'bench', '--scope', 'mintmark:admin'],
  );
  const { body } = await server.post({ client_id, client_secret });
  return { name, env: { ...env, MINTMARK_DATA_DIR: dataDir }, server, token: String(body['access_token']) };
}

/** Seconds of the whole command, its start included. */
async function byCommand({ env }: Target, text: string, file: string): Promise<number> {
  writeFileSync(file, text);
  const startedAt = performance.now();
  const child = spawn(process.execPath, [BINARY, 'api-user', 'import', file], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (piece: string) => (said += piece));
  await once(child, 'close');
  if (!said.includes(`${LINES} made, 0 refused`)) throw new Error(`The command made other lines: ${said}`);
  return (performance.now() - startedAt) / 1000;
}

async function byAdminApi({ name, server, token }: Target, text: string): Promise<number> {
  const startedAt = performance.now();
  const response = await fetch(`http://localhost:${server.port}/marketing/admin/v1/api-users/import`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/x-ndjson' },
    body: text,
  });
  const answer = await response.text();
  if (!answer.includes(`"made":${LINES}`))
    throw new Error(`The request made other lines on ${name}: ${answer.slice(-300)}`);
  return (performance.now() - startedAt) / 1000;
}

/** Prints a table; resolves to false if a target is missed. */
export async function run(): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-bench-'));
  await using postgres = await startPostgres({ durable: true, settings: { shared_buffers: '1GB' } });
  const url = postgres.url(await postgres.newDatabase());
  const targets: Target[] = [];
  try {
    targets.push(await targetOf('SQLite', join(folder, 'sqlite'), {}));
    const stored = { DATABASE_URL: url, MINTMARK_MASTER_KEY: 'ab'.repeat(32) };
    targets.push(await targetOf('PostgreSQL', join(folder, 'postgres'), stored));
    return report(await measure(targets, join(folder, 'lines')));
  } finally {
    for (const { server } of targets) await server.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Measured {
  name: string;
  perSecond: { command: number[]; adminApi: number[] };
}

async function measure(targets: readonly Target[], file: string): Promise<Measured[]> {
  const next = createLines();
  const measured = targets.map(({ name }): Measured => ({ name, perSecond: { command: [], adminApi: [] } }));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, target] of targets.entries()) {
      const { perSecond } = measured[i]!;
      perSecond.command.push(LINES / (await byCommand(target, next(), file)));
      perSecond.adminApi.push(LINES / (await byAdminApi(target, next())));
    }
  }
  return measured;
}

function report(measured: readonly Measured[]): boolean {
  const rows = measured.flatMap(({ name, perSecond }) =>
    (['command', 'adminApi'] as const).map((way) => {
      const of = (q: number) => quantile(perSecond[way], q).toFixed(0);
      const isMet = quantile(perSecond[way], 0.5) >= PER_SECOND_MIN;
      return [
        name,
        way === 'command' ? 'mintmark api-user import' : 'admin API',
        of(0.5),
        of(0),
        of(1),
        isMet,
      ];
    }),
  );
  const head = [
    'store',
    'import',
    'API users a second, median',
    'least',
    'most',
    `at least ${PER_SECOND_MIN}`,
  ];
  const cells = rows.map((row) =>
    row.map((cell) => (typeof cell === 'boolean' ? (cell ? 'met' : 'MISSED') : cell)),
  );
  console.log(`\n${ROUNDS} rounds of ${LINES} lines, in turns.\n\n${table([head, ...cells])}`);
  return rows.every((row) => row.at(-1) === true);
}
