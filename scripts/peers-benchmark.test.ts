import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chart } from '../bench/peers/chart.ts';
import { checkWork } from '../bench/peers/checks.ts';
import { peersPage, withReadmeLines, type Run } from '../bench/peers/page.ts';
import { LIMIT, MINTMARK, type RunningServer } from '../bench/peers/servers.ts';
import type { Slice } from '../bench/peers/slices.ts';
import { notAhead, summariesOf, type Measurement, type Population } from '../bench/peers/summary.ts';
import { freePort, pinned, ready, stop } from '../bench/peer.ts';

/** Slices of servers whose tokens cost so many microseconds each; everything else is alike. */
function population(apiUsers: number, micros: Record<string, readonly number[]>): Population {
  return {
    apiUsers,
    servers: Object.entries(micros).map(([name, costs]): Measurement => {
      const slices = costs.map(sliceOf);
      return { name, readyMs: 1, residentBytes: 2 ** 20, slices: { own: slices, shared: slices } };
    }),
  };
}

function sliceOf(micros: number): Slice {
  const microsByThread = { main: micros, V8: 0, SQLite: 0, libuv: 0, other: 0 };
  const waits = { p50Ms: micros / 50, p99Ms: micros / 20 };
  return { micros, microsByThread, databaseMicros: 0, perSecond: 1e6 / micros, ...waits };
}

const one = population(1, {
  [LIMIT]: [50, 100, 60],
  [MINTMARK]: [60, 120, 72],
  fast: [55, 110, 66],
  slow: [500, 1000, 600],
});
const many = population(1000, { [LIMIT]: [60], [MINTMARK]: [90], fast: [240], slow: [480] });
const run: Run = { populations: [one, many], rounds: 3, machine: 'a machine', versions: ['fast 1.0.0'] };

void test('ratios compare slices of one round, so that other load cancels out', () => {
  const [, own] = summariesOf(one);
  assert.deepEqual(own?.byPlace.own.ratio, { first: 1.2, median: 1.2, third: 1.2 });
  assert.equal(own.byPlace.own.micros.median, 72);
});

void test('the page names each measurement in which another server is ahead', () => {
  const lines = notAhead(summariesOf(one));
  assert.match(
    lines.join('\n'),
    /CPU time of a token, load on another core: fast 66\.0 µs; Mintmark 72\.0 µs/,
  );
  assert.match(lines.join('\n'), /tokens a second, load on another core: fast 15152; Mintmark 13889/);
  assert.match(lines.join('\n'), /resident memory: fast 1\.00 MiB, slow 1\.00 MiB; Mintmark 1\.00 MiB/);
  assert.doesNotMatch(lines.join('\n'), /slow \d+ µs|limit/);
  assert.equal(notAhead(summariesOf(many)).length, 2, 'start and memory alone, which are equal');
  const page = peersPage(run);
  for (const line of lines) assert.ok(page.includes(`- One API user, ${line}.`), line);
});

void test('the README has the lines of the last run and no others', () => {
  const empty =
    'before\n<!-- npm run bench -- peers writes the lines from here -->\n<!-- to here -->\nafter\n';
  const written = withReadmeLines(empty, run);
  assert.match(written, /^before\n[^]*One API user: Mintmark 1\.20, fast 1\.10[^]*\nafter\n$/);
  assert.equal(withReadmeLines(written, run), written);
  assert.throws(() => withReadmeLines('no such lines', run), /has no line/);
});

void test('the chart describes itself and draws within its frame', () => {
  const svg = chart({ few: summariesOf(one), many: summariesOf(many), manyUsers: 1000 }, MINTMARK);
  assert.match(svg, /role="img" aria-labelledby="title desc"/);
  assert.match(
    svg,
    /<desc id="desc">With one API user and with 1,000: limit 1\.00 and 1\.00; Mintmark 1\.20 and 1\.50;/,
  );
  assert.match(svg, /prefers-color-scheme: dark/);
  const bars = Array.from(svg.matchAll(/<rect [^>]*x="([\d.]+)"[^>]* width="([\d.]+)"/g));
  assert.equal(bars.length, 2 + 2 * one.servers.length);
  for (const [, x, width] of bars) assert.ok(Number(x) + Number(width) < 760);
  assert.equal(svg.match(/class="own"/g)?.length, 1);
});

void test('a server that accepts what it should refuse fails the check', async (t) => {
  if (process.platform !== 'linux') return t.skip('the benchmark runs on Linux only');
  const port = await freePort();
  const child = pinned(['bench/limit-server.ts', String(port), '3']);
  try {
    const readyMs = await ready(child, 'ready');
    const url = `http://127.0.0.1:${port}/`;
    const server: RunningServer = { name: LIMIT, process: child, tokenUrl: url, keySetUrl: url, readyMs };
    await checkWork(server, 3);
    // Its third API user is not one of the first two, so it must have no token.
    await assert.rejects(checkWork(server, 2), /limit gave a token: 200/);
  } finally {
    await stop(child);
  }
});
