// npm run bench [-- name …]: runs the benchmarks (all, or those named), prints their tables, and ends with 1 where one
// of them misses a target. Absolute figures belong to the machine; only the ratios of one run travel.
const benchmarks = [
  'token',
  'verifier',
  'revocations',
  'client',
  'admin',
  'overload',
  'workers',
  'limits',
  'heap',
  'published',
  'simulation',
] as const;

/** Only by name: they take long, or much disk. */
const onDemand = ['ten-million'] as const;

const wanted = process.argv.slice(2);
let met = true;
for (const name of [...benchmarks, ...onDemand]) {
  const isWanted = wanted.length === 0 ? !onDemand.some((one) => one === name) : wanted.includes(name);
  if (!isWanted) continue;
  console.log(`\n## ${name}`);
  const { run } = (await import(`./${name}.ts`)) as { run: () => Promise<boolean> };
  met = (await run()) && met;
}
process.exit(met ? 0 : 1);
