// Test setup: PostgreSQL, faketime, own store, own limits, first, long.
// The clock of PostgreSQL jumps: a real server under faketime. `npm test` tries it in the simulator, and wrong clocks of
// processes in postgres-clocks.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@mintmark/test-support/eventually';
import { fakeClock, faketimeMissing } from '@mintmark/test-support/faketime';
import { startNodes, steadyLoad } from '@mintmark/test-support/nodes';
import { postgresMissing } from '@mintmark/test-support/postgres-binaries';
import { startPostgres } from '@mintmark/test-support/postgres';
import type { TestServer } from '@mintmark/test-support/server';

const skip = postgresMissing() || faketimeMissing();
const HOUR_S = 3600;
const SEEN_MS = 20_000;

for (const aheadSeconds of [HOUR_S, -HOUR_S]) {
  test(`no token is refused when PostgreSQL's clock jumps by ${aheadSeconds} s`, { skip }, async () => {
    using clock = fakeClock(0);
    await using server = await startPostgres({ env: clock.variables });
    const url = server.url(await server.newDatabase());
    await using nodes = await startNodes([url, url, url]);
    const user = await nodes.knownUser();
    const [stopped] = nodes.nodes as [TestServer];
    await stopped.kill(); // what it has recorded counts for none
    const alive = nodes.nodes.slice(1);
    const load = steadyLoad(alive, user);
    clock.set(aheadSeconds);
    for (const node of alive) {
      await eventually(() => /all processes agree/.test(node.output()), SEEN_MS, 'it says so');
    }
    const { refused, issued } = await load.stop();
    assert.deepEqual(refused, []);
    assert.ok(issued > 0);
  });
}
