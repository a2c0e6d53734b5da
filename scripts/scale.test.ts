import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { SCALE_FILE, withSimulation } from '../bench/simulation.ts';

void test('docs/scale.md has the figures that the simulation computes', () => {
  const document = readFileSync(SCALE_FILE, 'utf8');
  assert.ok(document === withSimulation(document), 'run npm run bench -- simulation, then npm run format');
});
