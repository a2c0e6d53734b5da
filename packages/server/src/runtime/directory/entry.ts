import { NO_CLAIMS, type Claims } from '../../domain/claims.ts';
import {
  NO_USE,
  type KnownApiUser,
  type KnownPassword,
  type OtherCredentials,
  type Policy,
} from '../../domain/known-api-user.ts';
import { networkSet } from '../../domain/network.ts';
import { packFacts, type PackedFacts } from '../../domain/packed-facts.ts';
import { packSecrets } from '../../domain/packed-secrets.ts';
import type { CredentialKind } from '../../domain/credential.ts';
import type { KnownApiUserRow } from '../../storage/tables/known-api-user.ts';
import type { Organisations } from './organisations.ts';

/** An API user in the directory. Kept small: there may be a million. */
export interface DirectoryEntry extends KnownApiUser {
  usernameKey: string | null;
  /** Whether it was used since an eviction last passed over it. */
  used: boolean;
}

/** At most this many different policies are kept for sharing between API users; then the map is cleared. */
const SHARED_POLICIES_MAX = 100_000;
/**
 * At most this many credentials of a kind per entry. Ended ones are kept too, so that the log can tell an
 * expired secret from one that never existed.
 */
const KIND_MAX = 10;

/** What API users without settings of their own get, and the organisations that they belong to. */
export interface PolicyDefaults {
  audience: string;
  apiUserLimit: number;
  organisations: Pick<Organisations, 'get'>;
}

/** Called for an API user whose row cannot be parsed. If it does not throw, this API user is left out. */
type OnDamaged = (error: unknown) => void;

/**
 * Turns rows, grouped by API user, into entries. Most API users have the same settings as many others. Such
 * settings are parsed once and shared.
 */
export function knownApiUsers(
  defaults: PolicyDefaults,
): (rows: readonly KnownApiUserRow[], onDamaged?: OnDamaged) => DirectoryEntry[] {
  const shared = new Map<string, Policy>();
  let last: { row: KnownApiUserRow; policy: Policy } | undefined;

  /** Most API users have the settings of the one before: to compare is cheaper than to look up. */
  function policyOf(row: KnownApiUserRow): Policy {
    if (last === undefined || !haveSamePolicy(row, last.row)) last = { row, policy: sharedPolicyOf(row) };
    return last.policy;
  }

  function sharedPolicyOf(row: KnownApiUserRow): Policy {
    const key = POLICY_COLUMNS.map((column) => row[column]).join(' ');
    let policy = shared.get(key);
    if (policy === undefined) {
      policy = parsePolicy(row, defaults);
      if (shared.size >= SHARED_POLICIES_MAX) shared.clear();
      shared.set(key, policy);
    }
    return policy;
  }

  return (rows, onDamaged = rethrow) => {
    const entries: DirectoryEntry[] = [];
    for (let at = 0; at < rows.length;) {
      const row = rows[at] as KnownApiUserRow;
      let end = at + 1;
      while (rows[end]?.client_id === row.client_id) end += 1;
      try {
        const own = end === at + 1 ? [row] : rows.slice(at, end);
        entries.push(toEntry(row, own, policyOf(row)));
      } catch (error) {
        onDamaged(error);
      }
      at = end;
    }
    return entries;
  };
}

/** The columns from which `parsePolicy` makes a policy. */
const POLICY_COLUMNS = [
  'enabled',
  'organisation_id',
  'limit_per_minute',
  'token_life_seconds',
  'scopes',
  'audiences',
  'allowed_networks',
  'claims',
] as const;

type PolicyRow = Pick<KnownApiUserRow, (typeof POLICY_COLUMNS)[number]>;

function haveSamePolicy(a: PolicyRow, b: PolicyRow): boolean {
  for (const column of POLICY_COLUMNS) if (a[column] !== b[column]) return false;
  return true;
}

function rethrow(error: unknown): never {
  throw error;
}

function toEntry(user: KnownApiUserRow, rows: readonly KnownApiUserRow[], policy: Policy): DirectoryEntry {
  const secrets = ofKind(rows, 'secret');
  return {
    clientId: user.client_id,
    policy,
    secrets: packSecrets(
      secrets.map((row) => ({
        id: row.credential_id ?? '',
        digest: row.digest ?? '',
        expiresAt: row.expires_at,
        retiredAt: row.retired_at,
      })),
    ),
    others: rows.every(({ kind }) => kind === 'secret' || kind === null) ? null : toOthers(rows),
    // Not a small integer, so that V8 lays out this field as a double in all entries from the start.
    arrivalMs: Number.NEGATIVE_INFINITY,
    useNumber: NO_USE,
    usernameKey: user.username_key,
    used: false,
  };
}

function ofKind(rows: readonly KnownApiUserRow[], kind: CredentialKind): readonly KnownApiUserRow[] {
  const isAlone = rows.length === 1 && rows[0]?.kind === kind;
  const own = isAlone ? rows : rows.filter((row) => row.kind === kind);
  return own.length < 2 ? own : own.toSorted(endsLaterFirst).slice(0, KIND_MAX);
}

/**
 * Sorts live credentials before ended ones, whatever their age, so that `KIND_MAX` drops ended ones first.
 */
function endsLaterFirst(a: KnownApiUserRow, b: KnownApiUserRow): number {
  const [endA, endB] = [a, b].map((row) => row.retired_at ?? row.expires_at ?? Number.MAX_SAFE_INTEGER);
  return (endB ?? 0) - (endA ?? 0);
}

const NO_PASSWORDS: readonly KnownPassword[] = [];

function toOthers(rows: readonly KnownApiUserRow[]): OtherCredentials {
  const passwords = rows.filter((row) => row.kind === 'password');
  return {
    passwords: passwords.length === 0 ? NO_PASSWORDS : passwords.map(toPassword),
    keys: toPacked(ofKind(rows, 'key')),
    trustRules: toPacked(ofKind(rows, 'trust')),
  };
}

function toPacked(rows: readonly KnownApiUserRow[]): PackedFacts {
  return packFacts(
    rows.map((row) => ({
      id: row.credential_id ?? '',
      createdAt: row.credential_created_at ?? 0,
      expiresAt: row.expires_at,
      retiredAt: row.retired_at,
      facts: row.facts ?? '',
    })),
  );
}

function toPassword(row: KnownApiUserRow): KnownPassword {
  return {
    credentialId: row.credential_id ?? '',
    hash: row.digest ?? '',
    expiresAt: row.expires_at,
    retiredAt: row.retired_at,
  };
}

function parsePolicy(row: PolicyRow, defaults: PolicyDefaults): Policy {
  const audiences = JSON.parse(row.audiences) as string[];
  const networks = JSON.parse(row.allowed_networks) as string[];
  return {
    enabled: row.enabled === 1,
    organisation: row.organisation_id === null ? null : defaults.organisations.get(row.organisation_id),
    claims: row.claims === null ? NO_CLAIMS : (JSON.parse(row.claims) as Claims),
    tokenLifeSeconds: row.token_life_seconds,
    shapes: [],
    scopes: JSON.parse(row.scopes) as string[],
    audiences: audiences.length === 0 ? [defaults.audience] : audiences,
    limitPerMinute: row.limit_per_minute ?? defaults.apiUserLimit,
    networks: networks.length === 0 ? null : networkSet(networks),
  };
}
