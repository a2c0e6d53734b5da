// What callers without a secret cost: a token for an own key and for a token of another issuer, a million API
// users with keys, and a flood of bad assertions. Ratios of short slices that take turns within one run.
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { costsBefore, costsByProof } from './assertion-costs.ts';
import { floods } from './assertion-flood.ts';
import { bytesHeld, starts } from './assertion-population.ts';

const PARTS = { costs: costsByProof, before: costsBefore, bytes: bytesHeld, starts, flood: floods };

/** Prints tables; resolves to false if a target is missed. `MINTMARK_BENCH_PARTS` names some of the parts. */
export async function run(): Promise<boolean> {
  const names = process.env['MINTMARK_BENCH_PARTS']?.split(',') ?? Object.keys(PARTS);
  let met = true;
  for (const [name, part] of Object.entries(PARTS)) {
    if (!names.includes(name)) continue;
    const folder = mkdtempSync(join(tmpdir(), 'mintmark-bench-'));
    console.log(`\nload average: ${loadavg()[0]?.toFixed(1)}\n`);
    try {
      met = (await part(folder)) && met;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return met;
}
