// npm run simulate: runs seeds until one breaks an invariant, and prints the fewest steps that break it.
import { parseArgs } from 'node:util';
import { realNow } from './globals.ts';

const { violationText } = await import('./history.ts');
const { planOf, stepText } = await import('./plan.ts');
const { PLANTED_BUGS } = await import('./planted-bugs.ts');
const { run } = await import('./run.ts');
const { shrink } = await import('./shrink.ts');
const { createTemplate } = await import('./template.ts');

const HELP = `Runs the modules of serving processes over simulated time, network and store, and checks what they promise.

  npm run simulate                       200 seeds
  npm run simulate -- --long             10,000 seeds
  npm run simulate -- --seed=N           one seed, with all that happened
  npm run simulate -- --seeds=N --from=N
  npm run simulate -- --plant='NAME'     with a bug, which a seed must find:
${Object.keys(PLANTED_BUGS)
  .map((name) => `      ${name}`)
  .join('\n')}`;

const SEEDS = 200;
const LONG_SEEDS = 10_000;
const MINUTE_MS = 60_000;
const US_PER_MS = 1000;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    from: { type: 'string', default: '1' },
    long: { type: 'boolean', default: false },
    plant: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

async function main(): Promise<number> {
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const bug = values.plant === undefined ? undefined : PLANTED_BUGS[values.plant];
  const count = Number(values.seeds ?? (values.long ? LONG_SEEDS : SEEDS));
  const from = Number(values.seed ?? values.from);
  const to = values.seed === undefined ? from + count : from + 1;
  if (!Number.isInteger(from) || !Number.isInteger(to) || (values.plant !== undefined && bug === undefined)) {
    console.error(`The arguments ${process.argv.slice(2).join(' ')} are not allowed.\n\n${HELP}`);
    return 2;
  }
  const plant = () => bug?.plant() ?? null;
  const template = await createTemplate();
  const startedAt = realNow();
  const before = process.cpuUsage();
  for (let seed = from; seed < to; seed++) {
    const isTraced = values.seed !== undefined;
    const { violations, lines } = await run({ seed, plan: planOf(seed), template, plant: plant(), isTraced });
    for (const line of lines) console.log(line);
    const [violation] = violations;
    if (violation === undefined) continue;
    const failure = await shrink({ seed, template, plant }, violation);
    console.log(`seed ${seed} breaks: ${violationText(violation)}\n\nThe fewest steps that do:`);
    for (const step of failure.plan) console.log(stepText(step));
    console.log('\nWhat happens in them:');
    for (const line of failure.lines) console.log(line);
    console.log(`\nAgain: npm run simulate -- --seed=${seed}`);
    return 1;
  }
  const minutes = (realNow() - startedAt) / MINUTE_MS;
  const { user, system } = process.cpuUsage(before);
  const cpuMs = (user + system) / US_PER_MS / (to - from);
  const speed = `${((to - from) / minutes).toFixed(0)} seeds a minute, ${cpuMs.toFixed(1)} ms of CPU time each`;
  console.log(`seeds ${from} to ${to - 1}: no violation; ${speed}`);
  return 0;
}

process.exitCode = await main();
