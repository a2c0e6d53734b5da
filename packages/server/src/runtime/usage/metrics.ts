import type { Metric, Registry } from 'prom-client';
import { keySourceAddress, type KeysState } from '../../domain/key-source.ts';
import { REFUSAL_REASONS } from '../../domain/refusal.ts';
import type { SigningKeyState } from '../../domain/signing-key.ts';
import type { Health } from '../health.ts';
import type { TrustedKeys } from '../trusted-keys/trusted-keys.ts';
import type { UsedAssertionsOfProcess } from '../used-assertions.ts';
import { LATENCY_BOUNDS_MS, type Outcome } from './route-statistics.ts';
import type { Statistics } from './statistics.ts';

/** The sources of the metrics: numbers that the process keeps anyway, read at each scrape. */
export interface MetricSources {
  /** Milliseconds since 1970 (UTC). */
  now(): number;
  statistics: Pick<Statistics, 'recorder' | 'live' | 'observedTokens'> & {
    services: Pick<Statistics['services'], 'routes'>;
  };
  health(): Health;
  signingKeys(): Readonly<Record<SigningKeyState | 'unproven', number>>;
  epoch(): number;
  /** Requests that this process decided alone, although limits are configured to be shared. */
  decidedAlone(): number;
  keySources: Pick<TrustedKeys, 'states' | 'fetches'>;
  usedAssertions: Pick<UsedAssertionsOfProcess, 'size' | 'usedAlone'>;
  connections: { open(): number; refused(): Readonly<Record<string, number>> };
  version: string;
  /** The label of a worker process; null if the server runs as one process. */
  worker: string | null;
}

export interface Metrics {
  contentType: string;
  /** In the text format of Prometheus. */
  text(): Promise<string>;
}

interface Value {
  labels?: Readonly<Record<string, string>>;
  value: number;
  metricName?: string;
}

interface Described {
  name: string;
  help: string;
  type: 'counter' | 'gauge' | 'histogram';
  values(): Value[];
}

const OUTCOMES: readonly Outcome[] = ['ok', ...REFUSAL_REASONS, 'method_not_allowed', 'server_error'];
/** How often prom-client samples the delay of the event loop. */
const LOOP_PRECISION_MS = 50;

export const USED_ASSERTIONS_HELP = 'Assertions that this process remembers as used until they expire.';

/**
 * Label values come from bounded sets: never a client id, an address, or text that a caller sent. Operators
 * name the key sources, whose number is bounded.
 */
export function createMetrics(sources: MetricSources): Metrics {
  let registry: Promise<Registry> | undefined;
  return {
    contentType: CONTENT_TYPE,
    text: async () => await (await (registry ??= createRegistry(sources))).metrics(),
  };
}

const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Loads prom-client, which few processes need at once: it would be a tenth of the start. */
async function createRegistry(sources: MetricSources): Promise<Registry> {
  const { collectDefaultMetrics, Registry: PrometheusRegistry } = await import('prom-client');
  const registry = new PrometheusRegistry();
  if (sources.worker !== null) registry.setDefaultLabels({ worker: sources.worker });
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LOOP_PRECISION_MS });
  for (const metric of [...requestMetrics(sources), ...keySourceMetrics(sources), ...stateMetrics(sources)]) {
    // prom-client only formats our numbers: its own counters would count each token a second time.
    const { name, help, type, values } = metric;
    const get = async () => ({ name, help, type, values: values(), aggregator: 'sum' });
    registry.registerMetric({ name, get } as unknown as Metric);
  }
  return registry;
}

function requestMetrics({ statistics }: MetricSources): Described[] {
  const routes = Object.entries(statistics.services.routes);
  return [
    {
      name: 'mintmark_requests_total',
      help: 'Requests of API users, by endpoint and outcome: ok (a token), or why it was refused.',
      type: 'counter',
      values: () =>
        routes.flatMap(([endpoint, route]) => {
          const { ok, refusals } = route.counts();
          return OUTCOMES.map((outcome) => ({
            labels: { endpoint, outcome },
            value: outcome === 'ok' ? ok : (refusals.get(outcome) ?? 0),
          }));
        }),
    },
    {
      name: 'mintmark_request_duration_seconds',
      help: 'From the arrival of the head of a request to when its answer was handed over.',
      type: 'histogram',
      values: () =>
        routes.flatMap(([endpoint, route]) => {
          const { latency, latencySumMs } = route.counts();
          return histogram('mintmark_request_duration_seconds', endpoint, latency, latencySumMs);
        }),
    },
  ];
}

function histogram(name: string, endpoint: string, latency: readonly number[], sumMs: number): Value[] {
  let count = 0;
  const buckets = latency.map((inBucket, i) => {
    count += inBucket;
    const bound = LATENCY_BOUNDS_MS[i];
    const le = bound === undefined ? '+Inf' : String(bound / 1000);
    return { metricName: `${name}_bucket`, labels: { endpoint, le }, value: count };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels: { endpoint }, value: sumMs / 1000 },
    { metricName: `${name}_count`, labels: { endpoint }, value: count },
  ];
}

const KEYS_STATES: readonly KeysState[] = ['current', 'old', 'away'];

function keySourceMetrics({ keySources, now }: MetricSources): Described[] {
  return [
    {
      name: 'mintmark_key_sources',
      help: 'Issuers and URLs whose public keys are fetched, by state: old: no fetch succeeded in the life of the keys; away: no usable keys.',
      type: 'gauge',
      values() {
        const states = keySources.states(now()).map(({ state }) => state);
        return KEYS_STATES.map((state) => ({
          labels: { state },
          value: states.filter((one) => one === state).length,
        }));
      },
    },
    {
      name: 'mintmark_key_source_age_seconds',
      help: 'How long ago the keys of a source were fetched. Missing where they never were.',
      type: 'gauge',
      values() {
        const nowMs = now();
        return keySources.states(nowMs).flatMap(({ source, fetchedAt }) => {
          const labels = { source: keySourceAddress(source).address };
          return fetchedAt === null ? [] : [{ labels, value: Math.max(0, nowMs - fetchedAt) / 1000 }];
        });
      },
    },
    {
      name: 'mintmark_key_fetches_total',
      help: 'Fetches of public keys of others, by outcome: ok or failed.',
      type: 'counter',
      values: () =>
        Object.entries(keySources.fetches()).map(([outcome, value]) => ({ labels: { outcome }, value })),
    },
  ];
}

function stateMetrics({
  statistics,
  health,
  signingKeys,
  epoch,
  decidedAlone,
  usedAssertions,
  connections,
  version,
}: MetricSources): Described[] {
  const gauge = (name: string, help: string, value: () => number): Described => ({
    name,
    help,
    type: 'gauge',
    values: () => [{ value: value() }],
  });
  const counter = (name: string, help: string, value: () => number): Described => ({
    ...gauge(name, help, value),
    type: 'counter',
  });
  return [
    gauge('mintmark_ready', '1 where /readyz answers 200.', () => Number(health().status === 'ready')),
    gauge('mintmark_api_users_in_memory', 'API users that this process has in memory.', () => {
      return health().apiUsers;
    }),
    gauge('mintmark_api_users_all_in_memory', '1 where these are all.', () => Number(health().complete)),
    gauge('mintmark_store_stale_seconds', 'How long ago the process was last in step with the store.', () => {
      return health().staleSeconds;
    }),
    {
      name: 'mintmark_clock_offset_seconds',
      help: "How far this clock is ahead of the store's; negative: behind. Missing where the store has no clock of its own.",
      type: 'gauge',
      values: () => {
        const { offsetSeconds } = health().clock;
        return offsetSeconds === null ? [] : [{ value: offsetSeconds }];
      },
    },
    gauge(
      'mintmark_standby_wait_seconds',
      'For how long the oldest change has been waiting for a synchronous standby of PostgreSQL.',
      () => health().standby.waitSeconds,
    ),
    gauge('mintmark_change_epoch', 'Number of the last change that this process has applied.', epoch),
    {
      name: 'mintmark_signing_keys',
      help: 'Signing keys by state; unproven: without a valid proof, not used.',
      type: 'gauge',
      values: () => Object.entries(signingKeys()).map(([state, value]) => ({ labels: { state }, value })),
    },
    gauge(
      'mintmark_limits_shared',
      '1 where limits count the calls of all processes, 0 where of this one.',
      () => Number(health().limits === 'shared'),
    ),
    counter(
      'mintmark_limits_divided_total',
      'Requests whose limits were to be shared, and could not be.',
      () => decidedAlone(),
    ),
    gauge('mintmark_used_assertions', USED_ASSERTIONS_HELP, usedAssertions.size),
    counter(
      'mintmark_used_assertions_alone_total',
      'Assertions whose use was to be recorded in Redis, and is known on this machine alone.',
      usedAssertions.usedAlone,
    ),
    gauge('mintmark_usage_waiting', 'Uses and refusals that wait to be written.', () => {
      return statistics.recorder().waiting;
    }),
    counter('mintmark_usage_flush_failures_total', 'Writes of usage that failed, and were kept.', () => {
      return statistics.recorder().failures;
    }),
    counter('mintmark_usage_lost_total', 'Uses that were not counted, because too many waited.', () => {
      return statistics.recorder().lost;
    }),
    counter(
      'mintmark_quota_observed_tokens_total',
      'Tokens that were issued beyond the quota of their organisation, because the quota is only observed.',
      statistics.observedTokens,
    ),
    gauge('mintmark_connections', 'Connections that are open.', connections.open),
    {
      name: 'mintmark_connections_refused_total',
      help: 'Turned away: connections beyond the bound of all or of their network, and requests of one forwarded address.',
      type: 'counter',
      values: () =>
        Object.entries(connections.refused()).map(([bound, value]) => ({ labels: { bound }, value })),
    },
    gauge('mintmark_live_streams', 'Streams of events that are open.', () => statistics.live.watchers()),
    {
      name: 'mintmark_build_info',
      help: 'Always 1: the version is its label.',
      type: 'gauge',
      values: () => [{ labels: { version }, value: 1 }],
    },
  ];
}
