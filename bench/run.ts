// npm run bench [-- name …]: runs all benchmarks or the named ones, prints their tables, and exits with 1 if
// one misses a target. `compare` takes two commits. Absolute figures depend on the machine; only ratios of one run compare.
const benchmarks = [
  'assertions',
  'verifier',
  'revocations',
  'client',
  'claims',
  'admin',
  'import',
  'overload',
  'workers',
  'limits',
  'heap',
  'published',
  'simulation',
] as const;

/** Run only by name, because they need much time or disk. */
const onDemand = ['token', 'instructions', 'compare', 'peers', 'start', 'ten-million'] as const;

const wanted = process.argv.slice(2);
let met = true;
for (const name of [...benchmarks, ...onDemand]) {
  const isWanted = wanted.length === 0 ? !onDemand.some((one) => one === name) : wanted.includes(name);
  if (!isWanted) continue;
  console.log(`\n## ${name}`);
  const { run } = (await import(`./${name}.ts`)) as {
    run: (args: readonly string[]) => Promise<boolean>;
  };
  met = (await run(wanted.slice(1))) && met;
}
process.exit(met ? 0 : 1);
