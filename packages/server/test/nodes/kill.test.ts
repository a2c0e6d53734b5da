// Test setup: own store.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startServer } from '@mintmark/test-support/server';
import { temporaryStore } from '@mintmark/test-support/temporary-store';
import type { Acknowledged } from '@mintmark/test-support/writer';

const ROUNDS = 10;
const WRITER = new URL('../../../test-support/src/writer.ts', import.meta.url).pathname;

test('a process killed with -9 in the middle of writes loses nothing that it acknowledged', async () => {
  await using opened = await temporaryStore();
  const acknowledged: Acknowledged[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    acknowledged.push(...(await writeUntilKilled(opened.dataDir)));
    const again = await opened.another();
    assert.equal(await again.damage(), null, `the integrity check after round ${round}`);
    await again.close();
  }
  assert.ok(acknowledged.length > 2 * ROUNDS, `only ${acknowledged.length} writes in ${ROUNDS} rounds`);

  const { store } = opened;
  const ended = new Set<string>();
  for (const write of acknowledged) {
    if (write.made === 'retired') ended.add(write.credentialId);
    if (write.made === 'disabled') ended.add(write.clientId);
  }
  for (const write of acknowledged) {
    if (write.made === 'api user') {
      assert.equal((await store.apiUsers.find(write.clientId))?.name, write.name);
    } else if (write.made === 'disabled') {
      assert.equal((await store.apiUsers.find(write.clientId))?.enabled, false);
    } else if (write.made === 'retired') {
      assert.notEqual((await store.credentials.find(write.credentialId))?.retiredAt ?? null, null);
    } else {
      assert.equal((await store.credentials.find(write.credentialId))?.clientId, write.clientId);
    }
  }
  await everyChangeIsNumbered(opened);

  const env = { MINTMARK_ADDRESS_LIMIT: '1000000', MINTMARK_FAILURE_LIMIT: '1000000' };
  const server = await startServer({ dataDir: opened.dataDir, env });
  for (const write of sample(acknowledged, 200)) {
    if (write.made !== 'secret') continue;
    server.noteSecret(write.secret);
    const { status } = await server.post({ client_id: write.clientId, client_secret: write.secret });
    const live = !ended.has(write.credentialId) && !ended.has(write.clientId);
    // A write that was in the middle of being acknowledged may have gone one step further than it told.
    if (!live) assert.equal(status, 403);
    else if (status !== 200) assert.ok(await endedUntold(write.clientId, write.credentialId));
  }
  await server.stop();

  async function endedUntold(clientId: string, credentialId: string): Promise<boolean> {
    const user = await store.apiUsers.find(clientId);
    const credential = await store.credentials.find(credentialId);
    return user?.enabled === false || credential?.retiredAt !== null;
  }
});

async function everyChangeIsNumbered({ store }: Awaited<ReturnType<typeof temporaryStore>>): Promise<void> {
  const changes = await store.changes.after(0, 1_000_000);
  assert.ok(changes.every(({ n }, i) => n === i + 1));
  assert.equal(await store.changes.epoch(), changes.length);
}

async function writeUntilKilled(dataDir: string): Promise<Acknowledged[]> {
  const env = { PATH: process.env['PATH'] ?? '', MINTMARK_DATA_DIR: dataDir };
  const child = spawn(process.execPath, [WRITER], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
  await once(child.stdout, 'data');
  await sleep(Math.random() * 250);
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  const [, signal] = (await closed) as [number | null, string | null];
  assert.equal(signal, 'SIGKILL', 'the writer was not killed but ended by itself');
  // What was cut off in the middle of a line was not told.
  const lines = printed.slice(0, printed.lastIndexOf('\n') + 1).split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Acknowledged);
}

function sample<T>(items: readonly T[], count: number): T[] {
  const step = Math.max(1, Math.floor(items.length / count));
  return items.filter((_, i) => i % step === 0 || i >= items.length - 10);
}
