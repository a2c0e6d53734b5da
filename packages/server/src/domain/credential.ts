import type { CredentialFacts } from './assertion-credential.ts';
import { characterProblem } from './characters.ts';

/**
 * `KIND_FACTS` (credential-kind.ts) holds the differences between the kinds. A new kind also needs:
 * - a member of `KnownApiUser`, which `toEntry` (runtime/directory/entry.ts) fills;
 * - a branch in `checkCredentials` (oauth/authenticate-api-user.ts);
 * - a function in admin/ that creates it, and its input in http/admin/new-credential.routes.ts, in
 *   commands/credential.ts and in the console;
 * - its JSON in http/admin/credential.wire.ts, and in api-user-record.ts for export and import.
 */
export const CREDENTIAL_KINDS = ['secret', 'password', 'key', 'trust'] as const;
export type CredentialKind = (typeof CREDENTIAL_KINDS)[number];

/**
 * A secret, password, key or trust rule of an API user, as it is stored. Times are milliseconds since 1970
 * (UTC).
 */
export interface Credential {
  /** Ten characters. For a generated secret, it is the key id that the secret carries. */
  id: string;
  clientId: string;
  kind: CredentialKind;
  /** Names the place of deployment: "importer, production". */
  name: string;
  /**
   * SHA-256 (base64url) of a secret; a PHC string (argon2id) of a password. Only an export with digests shows
   * these. For a key or trust rule: `factsDigest`.
   */
  digest: string;
  /** What the key or trust rule says; null for a secret or password. */
  facts: CredentialFacts | null;
  createdAt: number;
  /** The operator or member who created it, and so saw the secret; null: another actor, or unknown. */
  createdBy: string | null;
  /** The credential is refused from this time on; null: it never expires. */
  expiresAt: number | null;
  retiredAt: number | null;
  /** Maintenance retires the credential once it is quiet (`isQuiet`) from this time on; null: it does not. */
  retireWhenQuietFrom: number | null;
  /** Counted in memory and written every few seconds: see docs/storage.md. */
  lastUsedAt: number | null;
  lastUsedAddress: string | null;
  useCount: number;
  /** `sub` of the assertion at the last use of a trust rule. */
  lastSubject: string | null;
  /** The last assertion that this key or trust rule refused. */
  lastRefusal: CredentialRefusal | null;
}

/** The refusal of an assertion by a key or trust rule. */
export interface CredentialRefusal {
  at: number;
  address: string;
  /** One of `REFUSAL_REASONS`, or a reason that only a newer version knows. */
  reason: string;
  /** The check that failed, with its values; null if the reason says all. */
  detail: string | null;
}

/** What no new credential has: a time at which it ended, uses, refusals. */
export const UNUSED_CREDENTIAL: Pick<
  Credential,
  | 'createdBy'
  | 'retiredAt'
  | 'retireWhenQuietFrom'
  | 'lastUsedAt'
  | 'lastUsedAddress'
  | 'useCount'
  | 'lastSubject'
  | 'lastRefusal'
> = {
  createdBy: null,
  retiredAt: null,
  retireWhenQuietFrom: null,
  lastUsedAt: null,
  lastUsedAddress: null,
  useCount: 0,
  lastSubject: null,
  lastRefusal: null,
};

export type CredentialState = 'live' | 'expired' | 'retired';

/** At most this many of an API user's credentials are live at a time. */
export const LIVE_CREDENTIALS_MAX = 5;

/** A credential that was used within this time counts as in use. */
export const QUIET_MS = 3_600_000;

/**
 * A credential is quiet after this long without a use: a day, so that a nightly job counts as a use, and an
 * hour more, in case the job starts later than the night before.
 */
export const RETIRED_WHEN_QUIET_MS: number = 25 * 3_600_000;

/** Why a credential may not have this name; null if it may. */
export function credentialNameProblem(name: string): string | null {
  return name.trim() !== '' && name.length <= NAME_LENGTH_MAX
    ? characterProblem('name', name)
    : `A credential has a name of 1 to ${NAME_LENGTH_MAX} characters that says where it is deployed.`;
}

const NAME_LENGTH_MAX = 200;

export function credentialState(
  credential: Pick<Credential, 'expiresAt' | 'retiredAt'>,
  nowMs: number,
): CredentialState {
  // By the row alone: a process with a slow clock must not accept a retired credential for longer.
  if (credential.retiredAt !== null) return 'retired';
  return credential.expiresAt !== null && credential.expiresAt <= nowMs ? 'expired' : 'live';
}

/** Whether a caller used this credential in the last hour and can still use it. */
export function isInUse(credential: Credential, nowMs: number): boolean {
  return (
    credentialState(credential, nowMs) === 'live' &&
    credential.lastUsedAt !== null &&
    nowMs - credential.lastUsedAt < QUIET_MS
  );
}

/** `12 min ago from 192.0.2.7` */
export function lastUseText(
  { lastUsedAt, lastUsedAddress }: Pick<Credential, 'lastUsedAt' | 'lastUsedAddress'>,
  nowMs: number,
): string {
  const minutes = Math.floor((nowMs - (lastUsedAt ?? nowMs)) / 60_000);
  const from = lastUsedAddress === null ? '' : ` from ${lastUsedAddress}`;
  return `${minutes <= 0 ? 'less than a minute' : `${minutes} min`} ago${from}`;
}

/**
 * Why retiring `credential` could break a live caller; null if it could not. `all` are the API user's
 * credentials. A newer live credential is its successor. Until a successor is used, no caller has proven to
 * have it (Cloudflare R2, March 2025: the old credential was deleted although the new one was deployed
 * wrongly).
 */
export function retirementObjection(
  credential: Credential,
  all: readonly Credential[],
  nowMs: number,
): string | null {
  if (credentialState(credential, nowMs) !== 'live') return null;
  if (isInUse(credential, nowMs)) return `it was used ${lastUseText(credential, nowMs)}`;
  const successors = all.filter(
    (other) =>
      other.id !== credential.id &&
      other.createdAt >= credential.createdAt &&
      credentialState(other, nowMs) === 'live',
  );
  const proven = successors.some((successor) => successor.lastUsedAt !== null);
  if (successors.length > 0 && !proven) {
    return `its successor ${successors.map((successor) => successor.id).join(', ')} was never used`;
  }
  return null;
}

/**
 * Whether a credential that is to be retired when quiet is quiet now. `all` are the API user's credentials.
 */
export function isQuiet(credential: Credential, all: readonly Credential[], nowMs: number): boolean {
  const { retireWhenQuietFrom: from, lastUsedAt } = credential;
  return (
    from !== null &&
    credentialState(credential, nowMs) === 'live' &&
    nowMs - Math.max(from, lastUsedAt ?? 0) >= RETIRED_WHEN_QUIET_MS &&
    retirementObjection(credential, all, nowMs) === null
  );
}
