import type { Generated } from 'kysely';
import type { CredentialKind } from '../domain/credential.ts';
import type { KeySourceKind } from '../domain/key-source.ts';

/** The tables, for Kysely. docs/storage.md explains each column. Times are milliseconds since 1970 (UTC). */
export interface Tables {
  meta: { key: string; value: string };
  epoch: { id: number; n: number };
  changes: { n: number; noun: string; id: string; at: number };
  organisations: OrganisationRow;
  audience_settings: AudienceSettingsRow;
  api_users: ApiUserRow;
  deleted_client_ids: { client_id: string; id_key: string; deleted_at: number };
  credentials: CredentialRow;
  credential_usage: {
    credential_id: string;
    last_used_at: number;
    last_used_address: string;
    use_count: number;
    last_subject: Generated<string | null>;
  };
  credential_refusals: {
    credential_id: string;
    refused_at: number;
    address: string;
    reason: string;
    detail: string | null;
  };
  signing_keys: SigningKeyRow;
  key_sources: KeySourceRow;
  revocations: RevocationRow;
  audit: AuditRow;
  idempotency_keys: { id: string; request: string; made: string; removes_at: number };
  audit_head: { id: number; n: number; hash: string; removed_n: number; removed_hash: string };
  secret_links: SecretLinkRow;
  refused_requests: RefusedRequestRow;
  operators: OperatorRow;
  members: MemberRow;
  member_invitations: MemberInvitationRow;
  recovery_codes: { operator_id: string; digest: string };
  sessions: SessionRow;
  invitations: InvitationRow;
  usage_minutes: TokensRow;
  usage_hours: TokensRow;
  usage_days: TokensRow;
  refusal_minutes: RefusalsRow;
  refusal_hours: RefusalsRow;
  refusal_days: RefusalsRow;
  usage_flushes: { process: string; flush: number; at: number };
  process_clocks: { process: string; offset_ms: number; seen_at: number };
}

export interface TokensRow {
  at: number;
  /** Empty: all callers together. */
  client_id: string;
  tokens: number;
}

export interface RefusalsRow {
  at: number;
  client_id: string;
  reason: string;
  refusals: number;
}

/**
 * All tables, with the columns of their primary keys; the compiler checks both. A table comes after those
 * that its rows belong to, and `deleted_client_ids` after `api_users`, because deletes of API users write to
 * it.
 */
export const PRIMARY_KEYS: { readonly [Name in keyof Tables]: readonly (keyof Tables[Name] & string)[] } = {
  meta: ['key'],
  epoch: ['id'],
  changes: ['n'],
  organisations: ['id'],
  audience_settings: ['audience'],
  api_users: ['client_id'],
  deleted_client_ids: ['client_id'],
  credentials: ['id'],
  credential_usage: ['credential_id'],
  credential_refusals: ['credential_id'],
  signing_keys: ['kid'],
  key_sources: ['kind', 'address'],
  revocations: ['digest'],
  audit: ['n'],
  idempotency_keys: ['id'],
  audit_head: ['id'],
  secret_links: ['digest'],
  refused_requests: ['client_id', 'at', 'trace_id'],
  operators: ['id'],
  members: ['organisation_id', 'operator_id'],
  member_invitations: ['digest'],
  recovery_codes: ['operator_id', 'digest'],
  sessions: ['digest'],
  invitations: ['digest'],
  usage_minutes: ['at', 'client_id'],
  usage_hours: ['at', 'client_id'],
  usage_days: ['at', 'client_id'],
  refusal_minutes: ['at', 'client_id', 'reason'],
  refusal_hours: ['at', 'client_id', 'reason'],
  refusal_days: ['at', 'client_id', 'reason'],
  usage_flushes: ['process'],
  process_clocks: ['process'],
};
export const TABLE_NAMES = Object.keys(PRIMARY_KEYS) as readonly (keyof Tables)[];

/** The comment on the table `meta`: it marks a PostgreSQL database as ours. */
export const POSTGRES_MARK = 'Mintmark';

export interface ApiUserRow {
  client_id: string;
  name: string;
  username: string | null;
  username_key: string | null;
  contact: string | null;
  enabled: number;
  /** JSON arrays of strings. */
  scopes: string;
  audiences: string;
  allowed_networks: string;
  limit_per_minute: number | null;
  created_at: number;
  updated_at: number;
  /** Only the recording of usage writes it (storage/tables/usage.ts). */
  last_used_at: Generated<number | null>;
  name_key: string;
  search_text: string;
  version: number;
  external_id: string | null;
  /**
   * Digest of the import line that created the API user, if the line named neither client id nor external id.
   * Never changes.
   */
  import_key: string | null;
  /** Null: it belongs to the platform. No foreign key: organisations with API users are never deleted. */
  organisation_id: string | null;
  /** A JSON object. Null: no claims of its own. */
  claims: string | null;
  token_life_seconds: number | null;
}

export interface OrganisationRow {
  id: string;
  name: string;
  name_key: string;
  search_text: string;
  contact: string | null;
  external_id: string | null;
  enabled: number;
  /** JSON: `PolicyRecord`. */
  policy: string;
  /** A JSON object. */
  claims: string;
  created_at: number;
  updated_at: number;
  version: number;
}

export interface AudienceSettingsRow {
  audience: string;
  /** A JSON object. */
  claims: string;
  token_life_seconds: number | null;
  updated_at: number;
  version: number;
}

export interface MemberRow {
  organisation_id: string;
  operator_id: string;
  role: string;
  created_at: number;
}

export interface MemberInvitationRow {
  digest: string;
  /** For lists and the audit log. It opens nothing. */
  id: string;
  organisation_id: string;
  email: string;
  email_key: string;
  role: string;
  created_by: string | null;
  created_at: number;
  expires_at: number;
}

export interface SecretLinkRow {
  digest: string;
  /** For lists and the audit log. It opens nothing. */
  id: string;
  client_id: string;
  /** JSON: the reset or new secret that the link makes when it is opened. */
  request: string;
  /** A PHC string. */
  passphrase_hash: string | null;
  wrong_passphrases: number;
  /** JSON: `LinkAuthor`. */
  created_by: string;
  created_at: number;
  expires_at: number;
}

export interface RefusedRequestRow {
  client_id: string;
  at: number;
  trace_id: string;
  address: string;
  /** The network of the address. */
  network: string;
  /** 1: of a caller of the API user; 0: it may be a stranger's. */
  own: number;
  reason: string;
  credential_id: string | null;
  detail: string | null;
}

export interface CredentialRow {
  id: string;
  client_id: string;
  kind: CredentialKind;
  name: string;
  digest: string;
  created_at: number;
  expires_at: number | null;
  retired_at: number | null;
  retire_when_quiet_from: number | null;
  /** JSON: `CredentialFacts`. Null for secrets and passwords. */
  facts: string | null;
  /** JSON: `NamedKeySource`, from which the keys are fetched. Null if nothing is fetched. */
  key_source: string | null;
  /** The operator or member who created it, and so saw the secret; null: another actor, or unknown. */
  created_by: Generated<string | null>;
}

export interface SigningKeyRow {
  kid: string;
  algorithm: string;
  /** JSON. */
  public_jwk: string;
  /** AES-256-GCM under the master key: see storage/master-key.ts. Null once the key is removed. */
  sealed_private_key: string | null;
  announced_at: number;
  activates_at: number;
  retires_at: number | null;
  removes_at: number | null;
  /**
   * A MAC under the master key: see storage/signing-key-proof.ts. Null if a program without proofs wrote the
   * row.
   */
  proof: string | null;
}

export interface KeySourceRow {
  kind: KeySourceKind;
  address: string;
  /** JSON (RFC 7517 §5): only the keys that Mintmark can use. Null: never fetched. */
  key_set: string | null;
  left_out: number;
  fetched_at: number | null;
  life_ms: number;
  tried_at: number;
  error: string | null;
}

export interface RevocationRow {
  digest: string;
  /** Seconds. */
  issued_before: number | null;
  removes_at: number;
}

export interface AuditRow {
  n: number;
  at: number;
  actor_kind: string;
  actor_id: string;
  actor_name: string;
  actor_address: string | null;
  actor_role: string | null;
  action: string;
  outcome: string;
  subject_kind: string;
  subject_id: string | null;
  related_kind: string | null;
  related_id: string | null;
  /** JSON. */
  before: string | null;
  after: string | null;
  reason: string | null;
  hash: string;
  organisation_id: string | null;
}

export interface OperatorRow {
  id: string;
  email: string;
  email_key: string;
  role: string;
  password_hash: string | null;
  /** Encrypted under the master key, like private signing keys. */
  sealed_totp_secret: string | null;
  sealed_pending_totp_secret: string | null;
  last_totp_step: number | null;
  wrong_codes: number;
  codes_locked_until: number | null;
  created_at: number;
  updated_at: number;
  last_seen_at: number | null;
}

export interface SessionRow {
  digest: string;
  id: string;
  operator_id: string;
  created_at: number;
  last_seen_at: number;
  expires_at: number;
  address: string;
  user_agent: string;
}

export interface InvitationRow {
  digest: string;
  operator_id: string | null;
  created_at: number;
  expires_at: number;
}
