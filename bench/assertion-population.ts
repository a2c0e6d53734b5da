// A million API users with one key each, against as many with one secret each: memory, and the time until all
// are in memory.
import { spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { allInMemory, cpuNanos, rss, startMintmark, stop } from './peer.ts';
import { seed } from './population.ts';
import { quantile, verdicts, type Target } from './ratios.ts';
import { table } from './table.ts';

const API_USERS = Number(process.env['MINTMARK_BENCH_API_USERS'] ?? 1_000_000);
const STARTS = 2;
const HERE = fileURLToPath(new URL('..', import.meta.url));

/** Bytes of an API user in memory, with a secret and with a key, and with a secret before. */
export function bytesHeld(): Promise<boolean> {
  const before = process.env['MINTMARK_BENCH_BEFORE'];
  const [secret, key] = [bytes(HERE, 'secret'), bytes(HERE, 'key')];
  const rows = [
    ['a secret', String(secret)],
    ['a key', String(key)],
  ];
  const targets: Target[] = [['bytes of an API user with a key', key, 600]];
  if (before !== undefined) {
    const then = bytes(before, 'secret');
    rows.push(['a secret, before', String(then)]);
    targets.push(['bytes of an API user with a secret, against before', secret / then, 1.01]);
  }
  console.log(table([['API user with', 'bytes'], ...rows]));
  return Promise.resolve(verdicts(targets));
}

function bytes(checkout: string, kind: string): number {
  const script = fileURLToPath(new URL('./assertion-held.ts', import.meta.url));
  const args = ['--max-old-space-size=4096', script, checkout, kind, String(API_USERS)];
  const { stdout, status } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error(`It ended with ${status}.`);
  return Number(stdout);
}

/** Starts of a server until all API users are in memory. */
export async function starts(folder: string): Promise<boolean> {
  const folders = { secret: join(folder, 'secrets'), key: join(folder, 'keys') };
  const empty = await startMintmark('', folders.secret, 0);
  const emptyBytes = rss(empty.process);
  await stop(empty.process);
  seed(join(folders.secret, 'mintmark.db'), API_USERS);
  cpSync(folders.secret, folders.key, { recursive: true });
  secretsBecomeKeys(join(folders.key, 'mintmark.db'));
  const ratios: number[] = [];
  const rows: string[][] = [];
  for (let start = 0; start < STARTS; start++) {
    const cpu = { secret: 0, key: 0 };
    for (const kind of start % 2 === 0 ? (['secret', 'key'] as const) : (['key', 'secret'] as const)) {
      const server = await startMintmark('', folders[kind], 0);
      await allInMemory(server);
      cpu[kind] = cpuNanos(server.process) / 1e9;
      const each = (rss(server.process) - emptyBytes) / API_USERS;
      rows.push([kind, server.readyMs.toFixed(0), cpu[kind].toFixed(1), each.toFixed(0)]);
      await stop(server.process);
    }
    ratios.push(cpu.key / cpu.secret);
  }
  const head = [
    `${API_USERS} API users with a`,
    'ms to ready',
    'CPU s until all in memory',
    'resident bytes each',
  ];
  console.log(table([head, ...rows]));
  return verdicts([['CPU until all are in memory, keys against secrets', quantile(ratios, 0.5), 1.5]]);
}

/** Texts of 43 characters of base64url stand for coordinates: a start does not parse keys. */
function secretsBecomeKeys(path: string): void {
  const coordinate = 'substr(hex(randomblob(22)), 1, 43)';
  const database = new DatabaseSync(path);
  database.exec(
    `pragma synchronous = off;
     update credentials set kind = 'key', digest = ${coordinate}, facts =
       '{"jwk":{"kty":"EC","crv":"P-256","x":"' || ${coordinate} || '","y":"' || ${coordinate} || '"}}';
     pragma wal_checkpoint(truncate)`,
  );
  database.close();
}
