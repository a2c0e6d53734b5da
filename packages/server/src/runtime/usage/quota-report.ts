import type { Logger } from 'pino';
import type { KnownOrganisation } from '../../domain/known-organisation.ts';
import type { QuotaUnit } from '../../domain/quota.ts';

/** Reports quotas of organisations that are used up: once in the log for each hour or day. */
export interface QuotaReport {
  /** Reports a token beyond the quota: one that was refused, or one that was issued and only observed. */
  note(organisation: KnownOrganisation, unit: QuotaUnit, refused: boolean): void;
  /** Tokens that were issued beyond a quota. */
  observed(): number;
}

export function createQuotaReport(log: Pick<Logger, 'warn'>): QuotaReport {
  let observed = 0;
  return {
    note({ id, count }, unit, refused) {
      if (!refused) observed += 1;
      const [at, reportedAt] =
        unit === 'hour' ? [count.hourAt, count.hourReportedAt] : [count.dayAt, count.dayReportedAt];
      if (reportedAt === at) return;
      if (unit === 'hour') count.hourReportedAt = at;
      else count.dayReportedAt = at;
      const fields = { organisation: id, unit, mode: refused ? 'enforce' : 'observe' };
      log.warn(fields, 'the tokens of an organisation exceed its quota');
    },
    observed: () => observed,
  };
}
