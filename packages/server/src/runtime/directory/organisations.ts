import type { Logger } from 'pino';
import type { Claims } from '../../domain/claims.ts';
import {
  knownOrganisation,
  NO_ORGANISATION,
  type KnownOrganisation,
  type KnownOrganisationSettings,
} from '../../domain/known-organisation.ts';
import { networkSet } from '../../domain/network.ts';
import { policyOf, type PolicyRecord } from '../../domain/organisation-record.ts';
import { turnCount } from '../../domain/quota.ts';
import type { AudienceTokenSettings, TokenSettings } from '../../domain/token-shape.ts';
import type { AudienceSettingsRows } from '../../storage/tables/audience-settings.ts';
import type { KnownOrganisationRow, KnownOrganisationRows } from '../../storage/tables/known-organisation.ts';
import type { ChangeHandlers } from '../change-feed.ts';
import { quotaUse, type UsageRows } from '../../storage/tables/usage.ts';

/**
 * All organisations, and the settings of all audiences, in memory. The API users in memory point to their
 * organisation, so it stays the same object while its settings change.
 */
export interface Organisations {
  /** Reads all of them again. */
  load(): Promise<void>;
  /** What follows the change feed. */
  changes: Pick<ChangeHandlers, 'organisationsChanged' | 'audienceSettingsChanged'>;
  /** Reads those of these organisations that are not in memory. Undefined: there are none. */
  add(ids: readonly string[]): Promise<void> | undefined;
  /** An organisation that `add` did not find is disabled. */
  get(id: string): KnownOrganisation;
  /** Those with a quota. */
  withQuota(): KnownOrganisation[];
  /**
   * Learns the tokens that other processes have issued for these organisations. `waiting`: tokens that this
   * process has issued since a time and not written yet.
   */
  recount(ids: Iterable<string>, waiting: (id: string, fromMs: number) => number): Promise<void>;
  tokenSettings: TokenSettings;
}

export interface OrganisationSources {
  knownOrganisations: KnownOrganisationRows;
  audienceSettings: Pick<AudienceSettingsRows, 'list'>;
  usage: Pick<UsageRows, 'recent'>;
}

/** Organisations per read. */
const PAGE_SIZE = 250;

export function createOrganisations(
  sources: OrganisationSources,
  { tokenLifeSeconds }: { tokenLifeSeconds: number },
  log: Pick<Logger, 'error'>,
  now: () => number,
): Organisations {
  const rows = sources.knownOrganisations;
  const byId = new Map<string, KnownOrganisation>();
  const tokenSettings: { -readonly [K in keyof TokenSettings]: TokenSettings[K] } = {
    generation: 1,
    tokenLifeSeconds,
    audiences: new Map(),
  };

  function parse(row: KnownOrganisationRow): KnownOrganisationSettings {
    try {
      return settingsOf(row);
    } catch (error) {
      const problem = 'the settings of an organisation cannot be read: its API users get no tokens';
      log.error({ organisation: row.id, error: (error as Error).message }, problem);
      return NO_ORGANISATION;
    }
  }

  /** Takes over rows that were read; `ids` without a row are disabled. */
  async function keep(ids: readonly string[], read: readonly KnownOrganisationRow[]): Promise<void> {
    const unread = new Set(ids);
    const counted: KnownOrganisation[] = [];
    for (const row of read) {
      unread.delete(row.id);
      const settings = parse(row);
      const organisation = byId.get(row.id) ?? knownOrganisation(row.id, NO_ORGANISATION);
      if (settings.quota !== null && organisation.quota === null) counted.push(organisation);
      byId.set(row.id, Object.assign(organisation, settings));
    }
    for (const id of unread) {
      byId.set(id, Object.assign(byId.get(id) ?? knownOrganisation(id, NO_ORGANISATION), NO_ORGANISATION));
    }
    tokenSettings.generation += 1;
    await readCounts(counted, () => 0);
  }

  /** Learns the tokens that this and all other processes have written. */
  async function readCounts(
    organisations: readonly KnownOrganisation[],
    waiting: (id: string, fromMs: number) => number,
  ): Promise<void> {
    if (organisations.length === 0) return;
    const nowMs = now();
    const ids = organisations.map(({ id }) => id);
    const used = await quotaUse(sources.usage, ids, nowMs);
    for (const { id, count } of organisations) {
      turnCount(count, nowMs);
      count.hour = Math.max(count.hour, (used.get(id)?.hour ?? 0) + waiting(id, count.hourAt));
      count.day = Math.max(count.day, (used.get(id)?.day ?? 0) + waiting(id, count.dayAt));
    }
  }

  async function refresh(ids: readonly string[]): Promise<void> {
    for (let at = 0; at < ids.length; at += PAGE_SIZE) {
      const page = ids.slice(at, at + PAGE_SIZE);
      await keep(page, await rows.byIds(page));
    }
  }

  async function audiencesChanged(): Promise<void> {
    const all = await sources.audienceSettings.list();
    tokenSettings.audiences = new Map<string, AudienceTokenSettings>(all.map((one) => [one.audience, one]));
    tokenSettings.generation += 1;
  }

  return {
    async load() {
      const unread = new Set(byId.keys());
      for (let after = ''; ;) {
        const page = await rows.page(after, PAGE_SIZE);
        await keep([], page);
        for (const { id } of page) unread.delete(id);
        const last = page.at(-1);
        if (last === undefined) break;
        after = last.id;
      }
      await refresh(Array.from(unread));
      await audiencesChanged();
    },
    changes: { organisationsChanged: refresh, audienceSettingsChanged: audiencesChanged },
    add(ids) {
      const missing = ids.filter((id) => !byId.has(id));
      return missing.length === 0 ? undefined : refresh(missing);
    },
    get: (id) => byId.get(id) ?? knownOrganisation(id, NO_ORGANISATION),
    async recount(ids, waiting) {
      const held = Array.from(ids, (id) => byId.get(id)).filter((one) => one !== undefined);
      await readCounts(
        held.filter(({ quota }) => quota !== null),
        waiting,
      );
    },
    withQuota: () => Array.from(byId.values()).filter(({ quota }) => quota !== null),
    tokenSettings,
  };
}

/** Throws if the row is damaged. */
function settingsOf(row: KnownOrganisationRow): KnownOrganisationSettings {
  const policy = policyOf(JSON.parse(row.policy) as PolicyRecord);
  const { quota, allowedNetworks } = policy;
  return {
    enabled: row.enabled === 1,
    limitPerMinute: policy.limitPerMinute,
    quota: quota.tokensPerHour === null && quota.tokensPerDay === null ? null : quota,
    networks: allowedNetworks.length === 0 ? null : networkSet(allowedNetworks),
    claims: JSON.parse(row.claims) as Claims,
    tokenLifeSeconds: policy.tokenLifeSeconds,
    introspectsAll: policy.introspectsAll,
  };
}
