import type { Grantable } from './grant.ts';
import type { KnownKey, KnownTrustRule } from './known-assertion-credential.ts';
import type { NetworkSet } from './network.ts';
import { unpackKeys, unpackTrustRules, type PackedFacts } from './packed-facts.ts';
import type { PackedSecrets } from './packed-secrets.ts';
import type { Shaped } from './token-shape.ts';

/** Settings that are in memory once for all API users that have the same ones. */
export interface Policy extends Grantable, Shaped {
  audiences: readonly string[];
  enabled: boolean;
  limitPerMinute: number;
  networks: NetworkSet | null;
}

/** Whether API users with this policy may get tokens, and why not. */
export function disabledBy({
  enabled,
  organisation,
}: Pick<Policy, 'enabled' | 'organisation'>): 'api_user_disabled' | 'organisation_disabled' | null {
  if (!enabled) return 'api_user_disabled';
  return organisation === null || organisation.enabled ? null : 'organisation_disabled';
}

/** Whether the API user and its organisation both allow calls from this address. */
export function allowsAddress(
  { networks, organisation }: Pick<Policy, 'networks' | 'organisation'>,
  address: string,
): boolean {
  if (networks !== null && !networks.includes(address)) return false;
  const ofOrganisation = organisation === null ? null : organisation.networks;
  return ofOrganisation === null || ofOrganisation.includes(address);
}

/** An API user in memory, for the hot path. */
export interface KnownApiUser {
  clientId: string;
  policy: Policy;
  secrets: PackedSecrets;
  /** Null for most API users: they have secrets only. */
  others: OtherCredentials | null;
  /**
   * The state of its limit (rate-limit.ts). In a table of its own, it would cost 80 bytes more for each API
   * user.
   */
  arrivalMs: number;
  /**
   * The number of the last one of its uses that wait to be written (pending-usage.ts), or of an older one.
   * Here it needs no look-up in a table of a million API users.
   */
  useNumber: number;
}

/** The `useNumber` of an API user without a use. */
export const NO_USE: number = -1;

/** The credentials of an API user that are not secrets. */
export interface OtherCredentials {
  passwords: readonly KnownPassword[];
  keys: PackedFacts;
  trustRules: PackedFacts;
}

/** The keys of an API user, the oldest first. Each call parses them. */
export function keysOf({ others }: Pick<KnownApiUser, 'others'>): readonly KnownKey[] {
  return others === null ? [] : unpackKeys(others.keys);
}

/** The trust rules of an API user, the oldest first. Each call parses them. */
export function trustRulesOf({ others }: Pick<KnownApiUser, 'others'>): readonly KnownTrustRule[] {
  return others === null ? [] : unpackTrustRules(others.trustRules);
}

/** One use of a credential by its API user. */
export interface CredentialUse {
  apiUser: KnownApiUser;
  credentialId: string;
  /** `sub` of the assertion that a trust rule accepted; null for any other credential. */
  subject?: string | null;
  nowMs: number;
}

export interface KnownPassword {
  credentialId: string;
  /** A PHC string. */
  hash: string;
  expiresAt: number | null;
  retiredAt: number | null;
}
