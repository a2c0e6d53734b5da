import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CHECKS, runChecks, type CheckResult } from '../src/index.ts';
import { startReferenceServer, VARIANTS } from './support/reference-server.ts';

// Every check is tried on a server that follows its rule, and on one that breaks only this rule.

/** The breach of this check is silence: the server sends neither 100 nor an answer. */
const SILENT = 'http-expect';
const SILENCE_MS = 300;

async function resultsOf(breach: string | null, only?: readonly string[]): Promise<CheckResult[]> {
  await using server = await startReferenceServer(breach);
  return await runChecks(server.target, {
    ...(breach === SILENT && { answerTimeoutMs: SILENCE_MS }),
    ...(only && { only }),
  });
}

test('every check passes on a server that follows all rules', async () => {
  const results = await resultsOf(null);
  assert.equal(results.length, CHECKS.length);
  assert.deepEqual(
    results.filter(({ outcome }) => outcome !== 'pass'),
    [],
  );
});

test('every check fails on a server that breaks its rule', { concurrency: 8 }, async (context) => {
  const breaches = [...CHECKS.map(({ id }) => id), ...VARIANTS];
  await Promise.all(
    breaches.map(async (breach) => {
      const [id = ''] = breach.split('/', 1);
      await context.test(breach, async () => {
        const [result] = await resultsOf(breach, [id]);
        assert.equal(result?.outcome, 'fail', result?.detail ?? 'the check passed');
        const isSilence = result.detail?.startsWith('The server sent no whole answer') ?? true;
        assert.equal(isSilence, breach === SILENT, result.detail ?? '');
      });
    }),
  );
});

test('ids, sections and rules of the checks are complete and unique', () => {
  assert.equal(new Set(CHECKS.map(({ id }) => id)).size, CHECKS.length);
  for (const { id, section, rule } of CHECKS) {
    assert.match(id, /^[a-z0-9]+(-[a-z0-9]+)+$/);
    assert.match(section, /^RFC \d{4} (§|App\.)/, id);
    assert.match(rule, /^[A-Za-z].*\.$/, id);
  }
});
