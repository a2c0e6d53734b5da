import type { Logger } from 'pino';
import { clockDifferences, type ClockDifference } from '../clock-differences.ts';
import type { Config } from '../../config/config.ts';
import type { CredentialUse } from '../../domain/known-api-user.ts';
import { refusalReason, type Refusal } from '../../domain/refusal.ts';
import type { Clock } from '../../lib/clock.ts';
import { createLive, HISTORY_SECONDS, type Live } from './live-events.ts';
import { createOverview } from './overview.ts';
import type { OverviewSource } from './overview-source.ts';
import { createRefusalLog } from './refusal-log.ts';
import { createRefusedRequestRecorder } from './refused-requests.ts';
import { createRouteStatistics, type RouteStatistics } from './route-statistics.ts';
import type { Store } from '../../storage/store.ts';
import { createUsageRecorder, type UsageRecorderStatus } from './recorder.ts';

/** All statistics of requests: usage, logged refusals, rates and live events. */
export interface Statistics {
  /** What the endpoints for API users call. */
  services: {
    /** `tokens` is the number of issued tokens, 1 or 0. */
    noteUse(use: CredentialUse, address: string, tokens: number): void;
    noteRefusal(refusal: Refusal, nowMs: number): void;
    routes: Record<'token' | 'introspection' | 'revocation', RouteStatistics>;
  };
  live: Live;
  /** What the admin API shows of the statistics. */
  admin: { live: Pick<Live, 'watch'>; overview: OverviewSource };
  recorder(): UsageRecorderStatus;
  /** Writes the uses that wait in memory now. */
  writeUsage(): Promise<void>;
  start(): void;
  /** Writes the usage that waits in memory. */
  stop(): Promise<void>;
}

export function createStatistics(
  store: Pick<Store, 'recordUsage' | 'recordRefusedRequests' | 'attention' | 'clock'>,
  config: Config,
  log: Logger,
  { now }: Pick<Clock, 'now'>,
): Statistics {
  const usage = createUsageRecorder(store.recordUsage, config, log, now);
  const refusals = createRefusalLog(log, config.refusalsLoggedMax);
  const requests = createRefusedRequestRecorder(store.recordRefusedRequests, config, log);
  const routes = {
    token: createRouteStatistics(),
    introspection: createRouteStatistics(),
    revocation: createRouteStatistics(),
  };
  const live = createLive(routes.token.counts, config, now);
  function noteRefusing({ denial, caller }: Refusal, nowMs: number): void {
    if (denial.denied !== 'invalid_client' || denial.refusedBy === undefined || caller === null) return;
    usage.noteCredentialRefusals(denial.refusedBy, caller.address, nowMs);
  }

  return {
    services: {
      noteUse(use, address, tokens) {
        usage.noteUse(use, address, tokens);
        live.noteUse(use.apiUser, use.credentialId, address, use.nowMs);
      },
      noteRefusal(refusal, nowMs) {
        const reason = refusalReason(refusal.denial);
        usage.noteRefusal(reason, refusal.apiUser, nowMs);
        noteRefusing(refusal, nowMs);
        live.noteRefusal(reason, refusal.apiUser, nowMs);
        refusals.record(refusal);
        requests.note(refusal, nowMs);
      },
      routes,
    },
    live,
    admin: {
      live,
      overview: {
        lately: () => live.lately(HISTORY_SECONDS),
        standing: standingOf(store, log, now),
        startedAt: now(),
      },
    },
    recorder: usage.status,
    async writeUsage() {
      await usage.flush(); // a flush under way lacks what came after its start
      await usage.flush();
      await requests.flush();
    },
    start() {
      usage.start();
      refusals.start();
      requests.start();
      live.start();
    },
    async stop() {
      live.end();
      refusals.stop();
      await usage.stop();
      await requests.stop();
    },
  };
}

/** Adds the clocks that differ to what needs attention, before API users. */
function standingOf(
  store: Pick<Store, 'attention' | 'clock'>,
  log: Logger,
  now: () => number,
): OverviewSource['standing'] {
  const standing = createOverview(store, now, (error) => {
    log.warn({ error: error.message }, 'API users could not be counted for the overview');
  });
  return async () => {
    const [{ apiUsers, attention }, clocks] = await Promise.all([standing(), clockDifferences(store.clock)]);
    return { apiUsers, attention: [...clocks.map(clockAttention), ...attention] };
  };
}

function clockAttention({ whose, detail }: ClockDifference) {
  return {
    kind: 'clock',
    clientId: null,
    name: whose,
    credentialId: null,
    at: null,
    count: 0,
    detail,
  } as const;
}
