// The server's cost per request for the key set and the revocation list, complete and unchanged (304): CPU
// time of all threads, with callers on another core.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpuSeconds, pinned, startMintmark, stop, type Peer } from './peer.ts';
import { once } from 'node:events';
import { table } from './table.ts';

const REQUESTS = 20_000;
const WARM_UP = 4000;
const CONNECTIONS = 16;

/** Sends this many GETs of a URL; runs in a separate process of this file. */
async function ask(url: string, etag: string, requests: number): Promise<void> {
  const { request, Agent } = await import('node:http');
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  let left = requests;
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const sent = request(
        url,
        { agent, headers: etag === '' ? {} : { 'If-None-Match': etag } },
        (response) => {
          if (response.statusCode !== (etag === '' ? 200 : 304))
            reject(new Error(`status ${response.statusCode}`));
          response.resume().on('end', resolve);
        },
      );
      sent.on('error', reject).end();
    });
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      while (left-- > 0) await one();
    }),
  );
  agent.destroy();
}

async function micros(peer: Peer, url: string, etag: string): Promise<number> {
  const asked = async (requests: number): Promise<number> => {
    const before = cpuSeconds(peer.process);
    const [code] = (await once(
      pinned(['bench/published.ts', url, etag, String(requests)], {}, 1),
      'exit',
    )) as [number];
    if (code !== 0) throw new Error(`GET ${url} failed`);
    return ((cpuSeconds(peer.process) - before) * 1e6) / requests;
  };
  await asked(WARM_UP);
  return await asked(REQUESTS);
}

export async function run(): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-bench-'));
  const peer = await startMintmark('mintmark', folder, 1);
  try {
    const base = `http://127.0.0.1:${peer.options.port}/marketing`;
    const rows = [['GET', 'whole, CPU µs', 'unchanged (304), CPU µs']];
    for (const [what, url] of [
      ['the key set', `${base}/.well-known/jwks.json`],
      ['the revocation list, empty', `${base}/oauth2/revocations`],
    ] as const) {
      const etag = (await fetch(url)).headers.get('etag') ?? '';
      const [whole, unchanged] = [await micros(peer, url, ''), await micros(peer, url, etag)];
      rows.push([what, whole.toFixed(0), unchanged.toFixed(0)]);
    }
    console.log(`\n${table(rows)}`);
    return true;
  } finally {
    await stop(peer.process);
    rmSync(folder, { recursive: true, force: true });
  }
}

const [url, etag, requests] = process.argv.slice(2);
if (url?.startsWith('http')) await ask(url, etag ?? '', Number(requests));
