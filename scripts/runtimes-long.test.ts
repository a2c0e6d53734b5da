// Test setup: own store, long.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ARRIVED, startJourneys, type Journeys } from '@mintmark/test-support/runtime-journeys';
import { runtime } from '@mintmark/test-support/runtimes';

let journeys: Journeys;
before(async () => (journeys = await startJourneys()));
after(async () => await journeys[Symbol.asyncDispose]());

void describe(
  'token, renewal, key rotation and revocation, with a real server',
  { concurrency: true },
  () => {
    for (const name of ['Bun', 'Deno', 'workerd']) {
      void test(`both packages work under ${name}`, async (t) => {
        const found = await runtime(name);
        const problem = found.problem ?? journeys.problem;
        if (problem !== '') return t.skip(problem);
        const arrived = name === 'workerd' ? journeys.inWorkerd(found) : journeys.inProgram(found);
        assert.deepEqual(await arrived, ARRIVED);
      });
    }
  },
);
