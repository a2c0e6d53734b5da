// Prints what servers cost in a process of their own, in milliseconds of its CPU time.
const LATER = 9;
const AT_ONCE = 50;
const MIB = 1024 * 1024;

async function cpuMs(work) {
  const before = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  return { result, ms: Math.round((user + system) / 1000) };
}

const imported = await cpuMs(() => import('@mintmark/testing'));
const { startMintmark } = imported.result;
const first = await cpuMs(startMintmark);
await first.result.stop();
const later = [];
for (let n = 0; n < LATER; n++) {
  const { result, ms } = await cpuMs(startMintmark);
  later.push(ms);
  await result.stop();
}
const many = await cpuMs(() => Promise.all(Array.from({ length: AT_ONCE }, () => startMintmark())));
const urls = new Set(many.result.map(({ baseUrl }) => baseUrl));
for (const mint of many.result) {
  const { clientId } = await mint.createApiUser({ scopes: ['campaigns:read'] });
  await mint.token({ clientId });
}
await Promise.all(many.result.map((mint) => mint.stop()));
console.log(
  JSON.stringify({
    import: imported.ms,
    first: first.ms,
    later: later.sort((a, b) => a - b)[Math.floor(LATER / 2)],
    'slowest later': later.at(-1),
    '50 at once': many.ms,
    MiB: Math.round(process.memoryUsage.rss() / MIB),
    different: urls.size,
  }),
);
