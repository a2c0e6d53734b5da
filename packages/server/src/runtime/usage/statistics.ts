import type { Logger } from 'pino';
import { clockDifferences, type ClockDifference } from '../clock-differences.ts';
import type { Config } from '../../config/config.ts';
import type { CredentialUse } from '../../domain/known-api-user.ts';
import { refusalReason, type Refusal } from '../../domain/refusal.ts';
import type { Clock } from '../../lib/clock.ts';
import { createLive, HISTORY_SECONDS, type Live } from './live-events.ts';
import { createOverview } from './overview.ts';
import type { OverviewSource } from './overview-source.ts';
import { exceededQuotas } from './quota-attention.ts';
import { createQuotaReport, type QuotaReport } from './quota-report.ts';
import { createRefusalLog } from './refusal-log.ts';
import { createRefusedRequestRecorder } from './refused-requests.ts';
import { createRouteStatistics, type RouteStatistics } from './route-statistics.ts';
import type { Store } from '../../storage/store.ts';
import type { UsageBatch } from '../../storage/tables/usage.ts';
import type { Organisations } from '../directory/organisations.ts';
import { createUsageRecorder, type UsageRecorderStatus } from './recorder.ts';

/** All statistics of requests: usage, logged refusals, rates and live events. */
export interface Statistics {
  /** What the endpoints for API users call. */
  services: {
    /** `tokens` is the number of issued tokens, 1 or 0. */
    noteUse(use: CredentialUse, address: string, tokens: number): void;
    noteRefusal(refusal: Refusal, nowMs: number): void;
    noteQuota: QuotaReport['note'];
    routes: Record<'token' | 'introspection' | 'revocation', RouteStatistics>;
  };
  live: Live;
  /** What the admin API shows of the statistics. */
  admin: { live: Pick<Live, 'watch'>; overview: OverviewSource };
  recorder(): UsageRecorderStatus;
  /** Tokens that were issued beyond a quota which is only observed. */
  observedTokens(): number;
  /** Writes the uses that wait in memory now. */
  writeUsage(): Promise<void>;
  start(): void;
  /** Writes the usage that waits in memory. */
  stop(): Promise<void>;
}

/** What the statistics need from the process. */
export interface StatisticsProcess extends Pick<Clock, 'now'> {
  organisations: Pick<Organisations, 'withQuota' | 'recount'>;
  /** Null: this process counts quotas alone, and learns from the store what others have issued. */
  sharedLimits: object | null;
}

export function createStatistics(
  store: Pick<
    Store,
    'recordUsage' | 'recordRefusedRequests' | 'attention' | 'clock' | 'usage' | 'organisations'
  >,
  config: Config,
  log: Logger,
  { now, organisations, sharedLimits }: StatisticsProcess,
): Statistics {
  const usage = createUsageRecorder(write, config, log, now);
  const refusals = createRefusalLog(log, config.refusalsLoggedMax);
  const requests = createRefusedRequestRecorder(store.recordRefusedRequests, config, log);
  const routes = {
    token: createRouteStatistics(),
    introspection: createRouteStatistics(),
    revocation: createRouteStatistics(),
  };
  const quotas = createQuotaReport(log);
  const live = createLive(routes.token.counts, config, now);

  async function write(batch: UsageBatch): Promise<void> {
    await store.recordUsage(batch);
    if (sharedLimits !== null || batch.uses === null) return;
    // The batch is written, so a failure of this read must not repeat it.
    await organisations.recount(batch.uses.organisations, usage.waitingTokens).catch(() => undefined);
  }

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
      noteQuota: quotas.note,
      routes,
    },
    live,
    admin: {
      live,
      overview: {
        lately: () => live.lately(HISTORY_SECONDS),
        standing: standingOf(store, log, { now, organisations }),
        startedAt: now(),
      },
    },
    recorder: usage.status,
    observedTokens: quotas.observed,
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

/** Adds the clocks that differ and the quotas that are exceeded to what needs attention, before API users. */
function standingOf(
  store: Pick<Store, 'attention' | 'clock' | 'usage' | 'organisations'>,
  log: Logger,
  { now, organisations }: Pick<StatisticsProcess, 'now' | 'organisations'>,
): OverviewSource['standing'] {
  const standing = createOverview(store, now, (error) => {
    log.warn({ error: error.message }, 'API users could not be counted for the overview');
  });
  return async () => {
    const [{ apiUsers, attention }, clocks, quotas] = await Promise.all([
      standing(),
      clockDifferences(store.clock),
      exceededQuotas(store, organisations.withQuota(), now()),
    ]);
    return { apiUsers, attention: [...clocks.map(clockAttention), ...quotas, ...attention] };
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
