import { planOf, type Step } from './plan.ts';
import type { Plant } from './planted-bugs.ts';
import { run, type Run } from './run.ts';
import type { Template } from './template.ts';
import type { Violation } from './invariants.ts';

export interface Failure {
  seed: number;
  violation: Violation;
  /** The steps that suffice. */
  plan: readonly Step[];
  /** What happened in the run of these steps. */
  lines: readonly string[];
}

/** Runs after which a plan counts as small enough. */
const ATTEMPTS_MAX = 300;

interface Search {
  seed: number;
  template: Template;
  /** A new one for each run: a planted bug has a memory. */
  plant: () => Plant | null;
}

/** The fewest steps of the seed's plan that break the same invariant, found by leaving out more and more. */
export async function shrink(search: Search, violation: Violation): Promise<Failure> {
  let plan: readonly Step[] = planOf(search.seed);
  let attempts = 0;
  for (let size = plan.length >> 1; size >= 1;) {
    const { length } = plan;
    for (let at = 0; at < plan.length && attempts < ATTEMPTS_MAX;) {
      const fewer = plan.toSpliced(at, size);
      attempts += 1;
      if (breaks(await runPlan(search, fewer), violation) !== undefined) plan = fewer;
      else at += size;
    }
    // A step that was needed may be left out after others are.
    if (size > 1) size >>= 1;
    else if (plan.length === length) break;
  }
  const last = await runPlan(search, plan, true);
  return { seed: search.seed, violation: breaks(last, violation) ?? violation, plan, lines: last.lines };
}

function breaks({ violations }: Run, { invariant }: Violation): Violation | undefined {
  return violations.find((other) => other.invariant === invariant);
}

async function runPlan(search: Search, plan: readonly Step[], isTraced = false): Promise<Run> {
  return await run({ ...search, plan, plant: search.plant(), isTraced });
}
