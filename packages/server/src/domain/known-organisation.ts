import type { Claims } from './claims.ts';
import type { NetworkSet } from './network.ts';
import type { TokenQuota } from './organisation.ts';
import { NO_TOKENS, type QuotaCount } from './quota.ts';

/**
 * An organisation in memory, for the hot path. Its API users in memory point to this object: a change of the
 * organisation changes the object.
 */
export interface KnownOrganisation extends KnownOrganisationSettings {
  id: string;
  /** The state of its limit (rate-limit.ts), over all its API users. */
  arrivalMs: number;
  /** The tokens of the running hour and day, as far as this process knows. */
  count: QuotaCount;
}

export interface KnownOrganisationSettings {
  /** False: its API users get no tokens. Also for an organisation that the store does not have. */
  enabled: boolean;
  /** Calls per minute of all its API users together; null: no such limit. */
  limitPerMinute: number | null;
  /** Null: without a quota. */
  quota: TokenQuota | null;
  networks: NetworkSet | null;
  claims: Claims;
  tokenLifeSeconds: number | null;
  /** Its API users may introspect tokens of other organisations, too. */
  introspectsAll: boolean;
}

/** The settings of an organisation that is not in the store, or that cannot be read. */
export const NO_ORGANISATION: KnownOrganisationSettings = {
  enabled: false,
  limitPerMinute: null,
  quota: null,
  networks: null,
  claims: {},
  tokenLifeSeconds: null,
  introspectsAll: false,
};

export function knownOrganisation(id: string, settings: KnownOrganisationSettings): KnownOrganisation {
  // Not a small integer, so that V8 lays out this field as a double from the start.
  return { id, ...settings, arrivalMs: Number.NEGATIVE_INFINITY, count: { ...NO_TOKENS } };
}
