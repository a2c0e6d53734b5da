// Test setup: own store, first.
// The packages from their tarballs, with a real server, in each runtime that their READMEs name: Bun, Deno and workerd are in
// runtimes-long.test.ts.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { openBrowser } from '@mintmark/test-support/browser';
import { JOURNEY_RESULT, startJourneys, type Journeys } from '@mintmark/test-support/runtime-journeys';
import { RUNTIME_PACKAGES } from '@mintmark/test-support/runtime-packages';
import { runtime, runtimeNames } from '@mintmark/test-support/runtimes';

let journeys: Journeys;
before(async () => (journeys = await startJourneys()));
after(async () => await journeys[Symbol.asyncDispose]());

void describe(
  'token, renewal, key rotation and revocation, with a real server',
  { concurrency: true },
  () => {
    for (const name of runtimeNames.filter((each) => each.startsWith('Node'))) {
      void test(`both packages work under ${name}`, async (t) => {
        const installation = await runtime(name);
        const problem = installation.problem ?? journeys.problem;
        if (problem !== '') return t.skip(problem);
        assert.deepEqual(await journeys.inProgram(installation), JOURNEY_RESULT);
      });
    }

    void test('both packages work in Chromium', async (t) => {
      if (journeys.problem !== '') return t.skip(journeys.problem);
      const browser = await openBrowser(t, 'THE PACKAGES IN A BROWSER');
      if (browser === null) return;
      try {
        assert.deepEqual(await journeys.inBrowser(browser), JOURNEY_RESULT);
      } finally {
        await browser.close();
      }
    });
  },
);

void test('the READMEs name each runtime with the version that is tried', () => {
  for (const name of ['client', 'verifier']) {
    const readme = readFileSync(new URL(`../packages/${name}/README.md`, import.meta.url), 'utf8');
    const rows = Array.from(readme.matchAll(/^\| (Node|Bun|Deno|workerd) +\| ([\d., ]+?) +\|/gm));
    const stated = rows.flatMap(([, runtimeName, versions = '']) =>
      versions.split(', ').map((version) => `${runtimeName} ${version}`),
    );
    const tried = Object.entries(RUNTIME_PACKAGES).map(
      ([full, { version }]) => `${full.split(' ')[0]} ${version}`,
    );
    assert.deepEqual(stated, tried, `packages/${name}/README.md`);
  }
});
