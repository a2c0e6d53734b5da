// Responses of the admin API. Members are in snake case as sent, times ISO 8601 in UTC.

export type Role = 'viewer' | 'operator' | 'admin';

export interface Session {
  actor: { kind: 'operator'; id: string; name: string; role: Role; second_factor: boolean };
  expires_at: string;
}

export interface Page<T> {
  items: T[];
  /** Cursor of the next page; null on the last page. */
  next: string | null;
}

export interface ApiUserSettings {
  name: string;
  username: string | null;
  contact: string | null;
  scopes: string[];
  audiences: string[];
  limit_per_minute: number | null;
  allowed_networks: string[];
}

export interface ApiUser extends ApiUserSettings {
  client_id: string;
  enabled: boolean;
  created_at: string;
  updated_at: string;
  version: number;
}

export interface ListedApiUser extends ApiUser {
  last_used_at: string | null;
  live_credentials: number;
  next_expiry_at: string | null;
}

export type CredentialState = 'live' | 'expired' | 'retired';

export interface Credential {
  id: string;
  kind: 'secret' | 'password';
  name: string;
  state: CredentialState;
  created_at: string;
  expires_at: string | null;
  retired_at: string | null;
  /** From this time on it is retired once it is quiet; null: not planned. */
  retire_when_quiet_from: string | null;
  last_used_at: string | null;
  last_used_address: string | null;
  use_count: number;
  /** Why retiring it could break a caller; null: no known reason. */
  retirement_objection: string | null;
}

/** A new credential. A generated secret is returned only this once; a password is not. */
export interface MadeCredential {
  credential: Credential;
  client_secret?: string;
}

export interface MadeApiUser {
  api_user: ApiUser;
  credential?: Credential;
  client_secret?: string;
}

export interface Operator {
  id: string;
  email: string;
  role: Role;
  state: 'active' | 'invited';
  second_factor: boolean;
  created_at: string;
  last_seen_at: string | null;
}

export interface Invitation {
  operator: Operator;
  invitation_url: string;
  expires_at: string;
}

export interface OperatorSession {
  id: string;
  created_at: string;
  last_seen_at: string;
  address: string | null;
  user_agent: string | null;
  current: boolean;
}

export type SigningKeyState = 'announced' | 'active' | 'retired' | 'removed';
export type SigningAlgorithm = 'ES256' | 'EdDSA' | 'RS256';

export interface SigningKey {
  kid: string;
  algorithm: SigningAlgorithm;
  state: SigningKeyState;
  /** False: the key is neither published nor used, because its proof is wrong. */
  proven: boolean;
  announced_at: string;
  activates_at: string;
  retires_at: string | null;
  removes_at: string | null;
}

export interface Subject {
  kind: string;
  /** Null if the subject was not found or does not exist yet. */
  id: string | null;
  /** The last name, if the subject was deleted. */
  name: string | null;
}

export interface AuditEntry {
  n: number;
  at: string;
  actor: { kind: string; id: string; name: string; address: string | null };
  action: string;
  outcome: 'done' | 'refused';
  subject: Subject;
  related: Subject | null;
  before: Readonly<Record<string, unknown>> | null;
  after: Readonly<Record<string, unknown>> | null;
  reason: string | null;
  hash: string;
}

export interface AuditVerification {
  entries: number;
  valid: boolean;
  head: string | null;
  /** Number of the first entry that does not match the entry before it. */
  first_bad: number | null;
}

export type UsageUnit = 'minute' | 'hour' | 'day';

export interface UsagePoint {
  at: string;
  tokens: number;
  refusals: Record<string, number>;
}

export interface Usage {
  unit: UsageUnit;
  points: UsagePoint[];
}

export interface Attention {
  kind: 'clock' | 'refused' | 'secret_expires' | 'unused' | 'limit_hit';
  /** Missing for clocks and unknown client ids. */
  client_id?: string;
  name: string;
  credential_id?: string;
  at?: string;
  reason?: string;
  count?: number;
  detail: string;
}

export interface Overview {
  tokens_per_second: number;
  refusals_per_second: number;
  latency_ms: { p50: number | null; p99: number | null };
  /** Null while they are being counted. */
  api_users: { total: number; enabled: number; active_24h: number } | null;
  signing_keys: SigningKey[];
  attention: Attention[];
  version: string;
  uptime_seconds: number;
}

/** One second of one server process, from the stream of events. */
export interface Rates {
  at: string;
  tokens: number;
  refusals: Record<string, number>;
  p50_ms: number | null;
  p99_ms: number | null;
}

export interface CredentialUse {
  credential_id: string;
  at: string;
  address: string | null;
  count: number;
}

export interface LiveRefusal {
  reason: string;
  at: string;
  count: number;
}

export interface Change {
  noun: string;
  id: string;
}
