import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exchange, FORM } from '@mintmark/test-support/http';
import { startServer } from '@mintmark/test-support/server';
import { newStore } from '@mintmark/test-support/store';

// `/metrics`, for Prometheus.

/** The value of each series, by its name and labels as they are printed. */
function seriesOf(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [
      line.slice(0, line.lastIndexOf(' ')),
      Number(line.slice(line.lastIndexOf(' ') + 1)),
    ]),
  );
}

test('metrics count outcomes, latency and state, without text from callers', async () => {
  const store = await newStore();
  const user = await store.apiUser('Importer');
  await using server = await store.start();
  const form = { client_id: user.client_id, client_secret: user.client_secret };
  for (let i = 0; i < 5; i++) await server.post(form);
  await server.post({ client_id: 'api_stranger', client_secret: 'guess' });
  await server.post({ ...form, client_secret: 'guess' });
  await server.post('nothing');
  await exchange(server.port, {
    path: '/marketing/oauth2/introspect',
    headers: { 'Content-Type': FORM },
    body: new URLSearchParams({ ...form, token: 'x' }).toString(),
  });
  const { status, headers, text } = await exchangeText(server.port);
  assert.equal(status, 200);
  assert.match(String(headers['content-type']), /^text\/plain; version=0\.0\.4/);
  const series = seriesOf(text);
  const requests = (endpoint: string, outcome: string) =>
    series.get(`mintmark_requests_total{endpoint="${endpoint}",outcome="${outcome}"}`);
  assert.equal(requests('token', 'ok'), 5);
  assert.equal(requests('token', 'unknown_client_id'), 1);
  assert.equal(requests('token', 'malformed_secret'), 1);
  assert.equal(requests('token', 'invalid_request'), 1);
  assert.equal(requests('token', 'address_limit'), 0, 'what never happened is there, as zero');
  assert.equal(requests('introspection', 'may_not_introspect'), 1);
  const latency = 'mintmark_request_duration_seconds';
  assert.equal(series.get(`${latency}_count{endpoint="token"}`), 8);
  assert.equal(series.get(`${latency}_bucket{endpoint="token",le="+Inf"}`), 8);
  assert.ok(series.get(`${latency}_sum{endpoint="token"}`)! > 0);
  const buckets = Array.from(series).filter(([name]) =>
    name.startsWith(`${latency}_bucket{endpoint="token"`),
  );
  for (const [i, [, count]] of buckets.entries()) assert.ok(count >= (buckets[i - 1]?.[1] ?? 0));
  assert.equal(series.get('mintmark_ready'), 1);
  assert.equal(series.get('mintmark_api_users_in_memory'), 1);
  assert.equal(series.get('mintmark_signing_keys{state="active"}'), 1);
  assert.equal(series.get('mintmark_key_sources{state="away"}'), 0);
  assert.equal(series.get('mintmark_key_fetches_total{outcome="failed"}'), 0);
  assert.equal(series.get('mintmark_usage_flush_failures_total'), 0);
  assert.equal(series.get('mintmark_build_info{version="0.1.0"}'), 1);
  assert.ok(series.get('process_resident_memory_bytes')! > 1e7);
  assert.ok(series.has('nodejs_eventloop_lag_p99_seconds'));
  for (const sent of [user.client_id, 'api_stranger', 'guess', user.client_secret]) {
    assert.ok(!text.includes(sent), `${sent.slice(0, 8)} is in the metrics`);
  }
});

test('metrics are for the named networks, never through an unknown proxy', async () => {
  await using server = await startServer();
  assert.equal((await exchangeText(server.port)).status, 200);
  for (const name of ['X-Forwarded-For', 'Forwarded', 'X-Real-IP']) {
    const reply = await exchangeText(server.port, { [name]: '203.0.113.7' });
    assert.equal(reply.status, 403, name);
    assert.match(reply.text, /MINTMARK_METRICS_NETWORKS/);
  }
  await using proxied = await startServer({
    env: { MINTMARK_TRUSTED_PROXIES: '127.0.0.1', MINTMARK_METRICS_NETWORKS: '192.0.2.0/24' },
  });
  const from = async (address: string) =>
    (await exchangeText(proxied.port, { 'X-Forwarded-For': address })).status;
  assert.deepEqual([await from('192.0.2.9'), await from('203.0.113.7')], [200, 403]);
  assert.equal((await exchangeText(proxied.port)).status, 403, 'this machine is not named');
});

async function exchangeText(port: number, headers: Record<string, string> = {}) {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`, { headers });
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    text: await response.text(),
  };
}
