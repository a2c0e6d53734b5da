// Test setup: first.
// Several processes behind one port, under real callers.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { finished } from '@mintmark/test-support/binary';
import { eventually } from '@mintmark/test-support/eventually';
import { sqlOn } from '@mintmark/test-support/command-line';
import { doomedWorkers } from '@mintmark/test-support/doomed-workers';
import { keepAlive, type KeepAlive } from '@mintmark/test-support/keep-alive';
import { startServer, type TestServer } from '@mintmark/test-support/server';
import { steadyClients } from '@mintmark/test-support/steady-clients';
import type { MadeApiUser } from '@mintmark/test-support/store';

const WORKERS = 2;
const CLIENTS = 16;
/** A worker starts within a second where nothing else runs; tests run beside others. */
const STARTED_MS = 60_000;
/** A change holds everywhere in this time. */
const CHANGED_MS = 1000;

describe('two workers', () => {
  let server: TestServer;
  before(async () => {
    server = await startServer({
      env: {
        MINTMARK_WORKERS: String(WORKERS),
        MINTMARK_API_USER_LIMIT: '1000000',
        MINTMARK_ADDRESS_LIMIT: '1000000',
        MINTMARK_FAILURE_LIMIT: '30',
      },
      readyMs: STARTED_MS,
    });
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
  });

  /** Process ids of the workers that serve or served, by their number; the last of each is the one that serves. */
  function pids(): Map<number, number> {
    const lines = server.output().matchAll(/"worker":(\d+),"pid":(\d+),"msg":"a worker serves"/g);
    return new Map(Array.from(lines, ([, worker, pid]) => [Number(worker), Number(pid)]));
  }

  async function metric(pattern: RegExp): Promise<number[]> {
    const text = await (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text();
    return Array.from(text.matchAll(pattern), ([, value]) => Number(value));
  }

  function ownForm(): string {
    return `client_id=${server.clientId}&client_secret=${server.clientSecret}`;
  }

  async function connections(count: number): Promise<KeepAlive[]> {
    return await Promise.all(Array.from({ length: count }, async () => await keepAlive(server.port)));
  }

  async function apiUser(...options: string[]): Promise<MadeApiUser & { form: string }> {
    const made = await server.json<MadeApiUser>('api-user', 'create', '--name', 'Importer', ...options);
    server.noteSecret(made.client_secret);
    await sleep(CHANGED_MS); // until then a worker may take it for one that does not exist
    return { ...made, form: `client_id=${made.client_id}&client_secret=${made.client_secret}` };
  }

  test('first secret and admin link are shown once, both workers serve', async () => {
    assert.equal(server.output().match(/client_secret  /g)?.length, 1);
    assert.equal(server.output().match(/console\/welcome#/g)?.length, 1);
    await eventually(() => pids().size === WORKERS, STARTED_MS, 'the log says that all serve'); // it is written a little later
    const callers = await connections(CLIENTS);
    for (const caller of callers) assert.equal((await caller.post(ownForm())).status, 200);
    for (const caller of callers) caller.close();
  });

  test('metrics are those of all workers, whichever is asked', async () => {
    const issued = /^mintmark_requests_total\{endpoint="token",outcome="ok",worker="\d"\} (\d+)$/gm;
    const counts = await metric(issued);
    assert.equal(counts.length, WORKERS);
    assert.equal(counts[0]! + counts[1]!, CLIENTS);
    assert.deepEqual(await metric(issued), counts);
    assert.deepEqual(await metric(/^mintmark_workers (\d+)$/gm), [WORKERS]);
    assert.deepEqual(await metric(/^mintmark_ready\{worker="\d"\} (\d)$/gm), [1, 1]);
  });

  test('a limit is exact over 64 connections to both workers', async () => {
    const limit = 120;
    const user = await apiUser('--limit', String(limit));
    const callers = await connections(64);
    const startedAt = performance.now();
    const statuses = await Promise.all(
      callers.map(async (caller) => {
        const got: number[] = [];
        for (let i = 0; i < 5; i++) got.push((await caller.post(user.form)).status);
        return got;
      }),
    );
    const again = Math.floor(((performance.now() - startedAt) / 60_000) * limit); // come free meanwhile
    const passed = statuses.flat().filter((status) => status === 200).length;
    assert.equal(statuses.flat().filter((status) => status === 429).length, 64 * 5 - passed);
    assert.ok(passed >= limit && passed <= limit + again, `${passed} of ${limit} passed, ${again} came free`);
    assert.deepEqual(await metric(/^mintmark_limits_divided_total\{worker="\d"\} (\d+)$/gm), [0, 0]);
    for (const caller of callers) caller.close();
  });

  test('wrong guesses share one budget', async () => {
    const { client_id } = await apiUser();
    const form = `client_id=${client_id}&client_secret=mms_0000000000_${'0'.repeat(49)}`;
    const callers = await connections(CLIENTS);
    const statuses = await Promise.all(
      callers.map(async (caller) => {
        const got: number[] = [];
        for (let i = 0; i < 5; i++) got.push((await caller.post(form)).status);
        return got;
      }),
    );
    const answered = statuses.flat().filter((status) => status === 403).length;
    assert.ok(answered >= 30 && answered <= 35, `${answered} guesses were answered`);
    for (const caller of callers) caller.close();
  });

  test('a disabled API user gets no worker’s token after a second', async () => {
    const user = await apiUser();
    const callers = await connections(CLIENTS);
    for (const caller of callers) assert.equal((await caller.post(user.form)).status, 200);
    await server.cli('api-user', 'disable', user.client_id, '--force');
    await sleep(CHANGED_MS);
    for (const caller of callers) assert.equal((await caller.post(user.form)).status, 403);
    for (const caller of callers) caller.close();
  });

  test('a worker killed under load breaks only its connections, then is replaced', async () => {
    const clients = steadyClients(server.port, ownForm(), CLIENTS);
    await eventually(() => clients.issued() > 200, 10_000, 'they get tokens');
    const killed = pids().get(1)!;
    process.kill(killed, 'SIGKILL');
    await eventually(() => pids().get(1) !== killed, STARTED_MS, 'another serves in its place');
    const soFar = clients.issued();
    await eventually(() => clients.issued() > soFar + 200, 10_000, 'they get tokens');
    const { refused, broken, notConnected } = await clients.stop();
    assert.deepEqual(refused, []);
    assert.equal(notConnected, 0);
    assert.ok(broken <= CLIENTS, `${broken} connections broke`);
    assert.deepEqual(await metric(/^mintmark_workers_replaced_total (\d+)$/gm), [1]);
  });

  test('SIGHUP under load replaces all workers without a refusal or broken connection', async () => {
    const old = pids();
    const idle = await keepAlive(server.port);
    const clients = steadyClients(server.port, ownForm(), CLIENTS);
    await eventually(() => clients.issued() > 200, 10_000, 'they get tokens');
    server.process.kill('SIGHUP');
    await eventually(() => server.output().includes('all workers are new'), 2 * STARTED_MS, 'all are new');
    const soFar = clients.issued();
    await eventually(() => clients.issued() > soFar + 200, 10_000, 'they get tokens');
    const { refused, broken, notConnected } = await clients.stop();
    assert.deepEqual({ refused, broken, notConnected }, { refused: [], broken: 0, notConnected: 0 });
    for (const [worker, pid] of pids()) assert.notEqual(pid, old.get(worker));
    idle.close();
  });

  test('SIGTERM stops all with exit code 0 and writes the counts', async () => {
    const issued = await metric(
      /^mintmark_requests_total\{endpoint="token",outcome="ok",worker="\d"\} (\d+)$/gm,
    );
    await server.stop(); // asserts the exit code
    for (const pid of pids().values()) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
    const [row] = sqlOn(
      `${server.dataDir}/mintmark.db`,
      'select sum(use_count) as uses from credential_usage',
    );
    assert.ok(Number(row?.['uses']) >= issued[0]! + issued[1]!);
  });
});

test('workers that end before they serve stop the start with an error', async () => {
  // Read by the workers alone: the primary process has no connection to it.
  using workers = await doomedWorkers('./no-worker.mjs');
  const { code, out, err } = await finished(workers.child);
  assert.equal(code, 3, err);
  assert.match(err, /mintmark: Worker 1 could not start, 3 times: it ended with exit code 70\./);
  assert.doesNotMatch(out, /mintmark is ready/);
});

test('each SIGHUP causes its own restart, and none outlives SIGTERM', async () => {
  using workers = await doomedWorkers('./no-later-worker.mjs');
  const { child } = workers;
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => (printed += text));
  }
  const times = (text: string) => printed.split(text).length - 1;
  const printedTimes = (count: number, text: string) =>
    eventually(() => times(text) >= count, STARTED_MS, `"${text}" ${count} times`);
  const ended = finished(child, 3 * STARTED_MS);

  await printedTimes(1, 'a worker serves');
  child.kill('SIGHUP');
  await printedTimes(1, 'a worker could not start');
  child.kill('SIGHUP');
  await printedTimes(2, 'the restart was given up');
  await printedTimes(6, 'a worker could not start'); // the log is written a little later
  assert.equal(times('a worker could not start'), 6, 'three attempts each');

  child.kill('SIGHUP');
  await printedTimes(7, 'a worker could not start');
  child.kill('SIGTERM'); // while it waits to try once more, which would succeed
  assert.equal((await ended).code, 0, printed);
  assert.equal(times('all workers are new'), 0);
  assert.equal(times('the restart was given up'), 2);
});

test('workers whose primary process is killed end without an error', async () => {
  using workers = await doomedWorkers('./no-later-worker.mjs');
  const { child } = workers;
  child.stdout?.once('data', () => child.kill('SIGKILL'));
  const { err } = await finished(child, STARTED_MS); // when the last one has closed it
  assert.match(err, /a worker serves/);
  assert.doesNotMatch(err, /should not happen/);
});
