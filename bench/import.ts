// API users that an import makes per second on SQLite and on PostgreSQL, through `mintmark api-user import` and
// through the admin API of a server, in turns. Each has a secret. PostgreSQL waits for the disk at each commit,
// as SQLite does.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BINARY, binary } from '@mintmark/test-support/binary';
import { startPostgres } from '@mintmark/test-support/postgres';
import { startServer } from '@mintmark/test-support/server';
import { secretDigest } from '../packages/server/src/domain/secret.ts';
import { secretAt } from './population.ts';
import { quantile } from './ratios.ts';
import { table } from './table.ts';

/** Lines of one import. A request has 15 seconds, also on a busy machine. */
const LINES: Readonly<Record<Way, number>> = { 'mintmark api-user import': 20_000, 'admin API': 10_000 };
const ROUNDS = 5;
const PER_SECOND_MIN = 5000;
const WAYS = ['mintmark api-user import', 'admin API'] as const;

type Way = (typeof WAYS)[number];

/** A store to import into, and an API user that may. */
interface Target {
  name: string;
  env: Record<string, string>;
  caller: { client_id: string; client_secret: string };
  perSecond: Record<Way, number[]>;
}

/** Prints a table; resolves to false if a target is missed. */
export async function run(): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-bench-'));
  await using postgres = await startPostgres({
    durable: true,
    settings: { shared_buffers: '1GB', autovacuum: 'on' },
  });
  try {
    const url = postgres.url(await postgres.newDatabase());
    const stored = { DATABASE_URL: url, MINTMARK_MASTER_KEY: 'ab'.repeat(32) };
    const targets = [
      await newTarget('SQLite', { MINTMARK_DATA_DIR: join(folder, 'sqlite') }),
      await newTarget('PostgreSQL', { ...stored, MINTMARK_DATA_DIR: join(folder, 'postgres') }),
    ];
    const nextText = createTexts();
    for (let round = 0; round < ROUNDS; round++) {
      for (const target of targets) {
        const { perSecond } = target;
        for (const way of WAYS) {
          const text = nextText(LINES[way]);
          const seconds =
            way === 'admin API'
              ? await byAdminApi(target, text)
              : await byCommand(target, text, join(folder, 'lines'));
          perSecond[way].push(LINES[way] / seconds);
        }
      }
    }
    return report(targets);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function newTarget(name: string, settings: Record<string, string>): Promise<Target> {
  const env = { ...settings, MINTMARK_ADMIN_ADDRESS_LIMIT: '1000000000' };
  await command(['migrate'], env);
  const create = ['api-user', 'create', '--name', 'bench', '--scope', 'mintmark:admin', '--json'];
  const caller = JSON.parse(await command(create, env)) as Target['caller'];
  return { name, env, caller, perSecond: { 'mintmark api-user import': [], 'admin API': [] } };
}

async function command(args: string[], env: Record<string, string>): Promise<string> {
  const { code, out, err } = await binary(args, { env });
  if (code !== 0) throw new Error(`mintmark ${args.join(' ')} ended with ${code}: ${err}`);
  return out;
}

/** Each text has lines for API users that none before it has. */
function createTexts(): (lineCount: number) => string {
  let made = 0;
  return (lineCount) => {
    const lines = Array.from({ length: lineCount }, (_, i) => lineOf(made + i));
    made += lineCount;
    return `${lines.join('\n')}\n`;
  };
}

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

/** Seconds of the whole command, its start included. */
async function byCommand({ name, env }: Target, text: string, file: string): Promise<number> {
  writeFileSync(file, text);
  const startedAt = performance.now();
  const child = spawn(process.execPath, [BINARY, 'api-user', 'import', file], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let summary = '';
  child.stderr.setEncoding('utf8').on('data', (piece: string) => (summary += piece));
  await once(child, 'close');
  if (!summary.includes(' made, 0 refused, 0 there')) throw new Error(`The command on ${name}: ${summary}`);
  return (performance.now() - startedAt) / 1000;
}

/** Seconds of one request to a server that runs already. */
async function byAdminApi({ name, env, caller }: Target, text: string): Promise<number> {
  const server = await startServer({ dataDir: env['MINTMARK_DATA_DIR'] ?? '', env });
  try {
    const { body } = await server.post(caller);
    const startedAt = performance.now();
    const response = await fetch(`http://localhost:${server.port}/marketing/admin/v1/api-users/import`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${String(body['access_token'])}`,
        'content-type': 'application/x-ndjson',
      },
      body: text,
    });
    const summary = (await response.text()).slice(-300);
    if (!summary.includes('"refused":0,"exists":0,"not_read":0'))
      throw new Error(`The admin API on ${name}: ${summary}`);
    return (performance.now() - startedAt) / 1000;
  } finally {
    await server.kill();
  }
}

function report(targets: readonly Target[]): boolean {
  const measured = targets.flatMap(({ name, perSecond }) =>
    WAYS.map((way) => ({ name, way, quantiles: [0.5, 0, 1].map((part) => quantile(perSecond[way], part)) })),
  );
  const isMet = (quantiles: number[]) => (quantiles[0] ?? 0) >= PER_SECOND_MIN;
  const rows = measured.map(({ name, way, quantiles }) => [
    name,
    way,
    ...quantiles.map((value) => value.toFixed(0)),
    isMet(quantiles) ? 'met' : 'MISSED',
  ]);
  const head = ['store', 'import by', 'API users a second, median', 'least', 'most'];
  console.log(
    `\n${ROUNDS} rounds, in turns, of ${Object.values(LINES).join(' and ')} lines; at least ${PER_SECOND_MIN} a second are wanted.`,
  );
  console.log(`\n${table([[...head, ''], ...rows])}`);
  return measured.every(({ quantiles }) => isMet(quantiles));
}
