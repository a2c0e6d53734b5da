// Test setup: own store, long.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { JOURNEY_RESULT, startJourneys, type Journeys } from '@mintmark/test-support/runtime-journeys';
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
        const installation = await runtime(name);
        const problem = installation.problem ?? journeys.problem;
        if (problem !== '') return t.skip(problem);
        const result =
          name === 'workerd' ? journeys.inWorkerd(installation) : journeys.inProgram(installation);
        assert.deepEqual(await result, JOURNEY_RESULT);
      });
    }
  },
);
