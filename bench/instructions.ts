// Instructions and bytes of a token of Mintmark against the limit; and what this count can show: a second run
// of the same code, and one with three per cent more work in it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { countToken, type Count } from './counted.ts';
import { freePort, mintmarkSettings, startMintmark, stop } from './peer.ts';
import { bodyAt } from './peers/checks.ts';
import { seed } from './population.ts';
import { verdicts } from './ratios.ts';
import { table } from './table.ts';

/** Prints a table; resolves to false if a target is missed. */
export async function run(): Promise<boolean> {
  const limit = await countLimit();
  const first = await countMintmark();
  const second = await countMintmark();
  const planted = await countMintmark('', [
    '--import',
    fileURLToPath(new URL('planted-work.ts', import.meta.url)),
  ]);
  const rows = [
    countRow('limit', limit, limit),
    countRow('Mintmark', first, limit),
    countRow('the same again', second, first),
    countRow('with work planted', planted, first),
  ];
  console.log(`\n${table([COUNT_HEAD, ...rows])}`);
  return verdicts([
    ['instructions of a token, against the limit', first.instructions / limit.instructions, 1.1],
    ['difference of a second run', Math.abs(second.instructions / first.instructions - 1), 0.01],
    ['planted work that is not seen', 1.02 - planted.instructions / first.instructions, 0],
  ]);
}

export const COUNT_HEAD: readonly string[] = ['server', 'instructions', 'ratio', 'bytes', 'ratio'];

export function countRow(name: string, count: Count, to: Count): string[] {
  return [
    name,
    count.instructions.toFixed(0),
    (count.instructions / to.instructions).toFixed(3),
    count.bytes.toFixed(0),
    (count.bytes / to.bytes).toFixed(3),
  ];
}

async function countLimit(): Promise<Count> {
  const port = await freePort();
  const args = [fileURLToPath(new URL('limit-server.ts', import.meta.url)), String(port), '1'];
  return await countToken({ args, env: {}, readyLine: 'ready', port, request: requestTo('/token') });
}

/** `checkout`: the folder of another checkout of Mintmark; empty: this one. */
export async function countMintmark(checkout = '', options: readonly string[] = []): Promise<Count> {
  const dataDir = mkdtempSync(join(tmpdir(), 'mintmark-bench-'));
  try {
    await stop((await startMintmark('', dataDir, 0, {}, checkout)).process);
    seed(join(dataDir, 'mintmark.db'), 1);
    const port = await freePort();
    return await countToken({
      args: [...options, join(checkout, 'packages/server/bin/mintmark.mjs'), 'serve'],
      env: mintmarkSettings(port, dataDir),
      readyLine: 'mintmark is ready',
      port,
      request: requestTo('/marketing/oauth2/token'),
    });
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

function requestTo(path: string): Buffer {
  const body = bodyAt(0);
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n` +
      `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
}
