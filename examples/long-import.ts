// An import that runs for hours: it outlives its tokens, waits out rate limits and stops cleanly on Ctrl-C.
// npm run long-import reads 1000 campaigns of the example API (npm run marketing-api).
import { ApiException, Configuration, TokenManager } from '@mintmark/client';

const [, , host = 'http://localhost:8080/marketing', api = 'http://localhost:9090', count = '1000'] =
  process.argv;
const IN_FLIGHT = 4;

const stop = new AbortController();
process.once('SIGINT', () => stop.abort(new Error('interrupted')));

const configuration = Configuration.fromEnv({
  host,
  // A nightly job can wait: two minutes of an outage are better than half an import.
  retry: { attempts: 20, deadlineMs: 120_000 },
  onEvent(event) {
    if (event.type === 'renewal')
      console.error(`new token, good for ${Math.round(event.expiresInMs / 1000)} s`);
    if (event.type === 'retry')
      console.error(`${event.operation}: ${event.reason}, again in ${Math.round(event.delayMs)} ms`);
  },
});
const tokens = new TokenManager(configuration);

let next = 0;
async function worker(): Promise<void> {
  while (next < Number(count)) {
    const item = next++;
    // A GET can be repeated safely, so it is also retried after a broken connection.
    const response = await tokens.fetch(`${api}/v1/campaigns/${item}`, { signal: stop.signal });
    if (!response.ok) throw new Error(`item ${item}: ${response.status} ${await response.text()}`);
    await response.json(); // a real import would store it
  }
}

try {
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  console.log(`imported ${next} items`);
} catch (error) {
  if (error instanceof ApiException && error.code === 'forbidden') {
    console.error(`The credentials do not work (request ${error.requestId}): ${error.errorDescription}`);
  } else {
    console.error(error);
  }
  process.exitCode = 1;
}
