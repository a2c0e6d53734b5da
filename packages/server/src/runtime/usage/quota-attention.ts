import type { KnownOrganisation } from '../../domain/known-organisation.ts';
import type { QuotaUnit } from '../../domain/quota.ts';
import type { Store } from '../../storage/store.ts';
import { quotaUse } from '../../storage/tables/usage.ts';
import type { Attention } from './overview-source.ts';
import { ATTENTION_MAX } from './overview.ts';

/** The organisations whose tokens of this hour or day have reached the quota. */
export async function exceededQuotas(
  store: Pick<Store, 'usage' | 'organisations'>,
  organisations: readonly KnownOrganisation[],
  nowMs: number,
): Promise<Attention[]> {
  if (organisations.length === 0) return [];
  const ids = organisations.map(({ id }) => id);
  const used = await quotaUse(store.usage, ids, nowMs);
  const exceeded = organisations
    .flatMap(({ id, quota }) => {
      const tokens = used.get(id);
      if (tokens === undefined || quota === null) return [];
      if (isReached(tokens.day, quota.tokensPerDay))
        return [itemOf(id, tokens.day, 'day', quota.tokensPerDay)];
      return isReached(tokens.hour, quota.tokensPerHour)
        ? [itemOf(id, tokens.hour, 'hour', quota.tokensPerHour)]
        : [];
    })
    .slice(0, ATTENTION_MAX);
  const named = await store.organisations.listOf(exceeded.map(({ organisationId }) => organisationId));
  const names = new Map(named.map(({ id, name }) => [id, name]));
  return exceeded.map(({ organisationId, ...item }) => ({
    ...item,
    organisationId,
    name: names.get(organisationId) ?? organisationId,
  }));
}

function isReached(tokens: number, quota: number | null): boolean {
  return quota !== null && tokens >= quota;
}

function itemOf(organisationId: string, count: number, unit: QuotaUnit, quota: number | null) {
  return {
    kind: 'organisation_quota',
    organisationId,
    clientId: null,
    credentialId: null,
    at: null,
    count,
    detail: `${count} tokens in this ${unit}; the quota is ${quota ?? 0}`,
  } as const;
}
