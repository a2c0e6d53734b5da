// Test setup: own store, own limits.
// The modules of three serving processes over simulated time, network and store: `npm run simulate` runs
// more seeds.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import './globals.ts';
import type { Template } from './template.ts';

const { violationText } = await import('./history.ts');
const { INVARIANTS } = await import('./invariants.ts');
const { planOf } = await import('./plan.ts');
const { PLANTED_BUGS } = await import('./planted-bugs.ts');
const { run } = await import('./run.ts');
const { shrink } = await import('./shrink.ts');
const { createTemplate } = await import('./template.ts');

const SEEDS = 100;

let template: Template;
before(async () => {
  template = await createTemplate();
});

test('no seed breaks a promise of a serving process', async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { violations } = await run({ seed, plan: planOf(seed), template });
    const again = `npm run simulate -- --seed=${seed}`;
    assert.deepEqual(violations.map(violationText), [], again);
  }
});

test('the same seed gives the same run', async () => {
  const traced = async () => await run({ seed: 7, plan: planOf(7), template, isTraced: true });
  assert.deepEqual(await traced(), await traced());
});

test('each invariant has a planted bug', () => {
  const broken = new Set(Object.values(PLANTED_BUGS).flatMap(({ breaks }) => breaks));
  assert.deepEqual(Object.keys(INVARIANTS).toSorted(), Array.from(broken).toSorted());
});

test('docs/robustness.md has each planted bug with its seed', () => {
  const text = readFileSync(new URL('../../../../docs/robustness.md', import.meta.url), 'utf8');
  for (const [name, { seed }] of Object.entries(PLANTED_BUGS)) {
    const row = text.split('\n').find((line) => line.startsWith(`| ${name} `));
    assert.equal(row?.split('|')[2]?.trim(), String(seed), name);
  }
});

/** Seeds that find each planted bug: `npm run simulate -- --plant=…` finds others. */
for (const [name, { breaks, seed, plant }] of Object.entries(PLANTED_BUGS)) {
  test(`seed ${seed} finds: ${name}`, async () => {
    const { violations } = await run({ seed, plan: planOf(seed), template, plant: plant() });
    assert.ok(
      violations.some(({ invariant }) => breaks.includes(invariant)),
      violations.map(violationText).join(),
    );
  });
}

test('a failure is shrunk to the steps that cause it', async () => {
  const { plant, seed } = PLANTED_BUGS[
    'a change is acknowledged before it is committed'
  ] as (typeof PLANTED_BUGS)[string];
  const { violations } = await run({ seed, plan: planOf(seed), template, plant: plant() });
  const [violation] = violations;
  assert.ok(violation !== undefined);
  const { plan, lines } = await shrink({ seed, template, plant }, violation);
  assert.ok(plan.length <= 7, `${plan.length} steps`);
  assert.ok(lines.some((line) => line.includes('VIOLATION')));
});
