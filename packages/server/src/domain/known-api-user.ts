import type { Grantable } from './grant.ts';
import type { NetworkSet } from './network.ts';
import type { PackedSecrets } from './packed-secrets.ts';

/** What all API users with the same settings share, in memory once. */
export interface Policy extends Grantable {
  enabled: boolean;
  limitPerMinute: number;
  networks: NetworkSet | null;
}

/** An API user as the hot path knows it. */
export interface KnownApiUser {
  clientId: string;
  policy: Policy;
  secrets: PackedSecrets;
  passwords: readonly KnownPassword[] | null;
  /** The state of its limit (rate-limit.ts): here and not in a table of its own, which would cost 80 bytes each. */
  arrivalMs: number;
  /** Its uses that wait to be written (usage-recorder.ts): found without a look-up in a table that a million others are in. */
  uses: PendingUse | null;
}

/** One use of a credential by its API user. */
export interface CredentialUse {
  known: KnownApiUser;
  credentialId: string;
  nowMs: number;
}

/** The use of one credential since such uses were last written. */
export interface PendingUse {
  credentialId: string;
  lastUsedAt: number;
  lastUsedAddress: string;
  /** Requests that it authenticated, and of these the ones that got a token. */
  count: number;
  tokens: number;
  of: KnownApiUser;
  /** That of another credential of the same API user. */
  next: PendingUse | null;
}

export interface KnownPassword {
  credentialId: string;
  /** A PHC string. */
  hash: string;
  expiresAt: number | null;
  retiredAt: number | null;
}
