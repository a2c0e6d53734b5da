import type { MemberRole } from '../../../server/src/domain/organisation.ts';
import type { PolicyRecord } from '../../../server/src/domain/organisation-record.ts';

// Answers of the portal's API.

/** An organisation of the person signed in. */
export interface OwnOrganisationJson {
  id: string;
  name: string;
  role: MemberRole;
  second_factor_required: boolean;
}

/** An organisation as its members see it. */
export interface PortalOrganisationJson {
  id: string;
  name: string;
  contact: string | null;
  /** `viewer`: an operator who sees what members see. */
  role: MemberRole | 'viewer';
  policy: Omit<PolicyRecord, 'introspects_all' | 'violations'>;
  counts: { api_users: number; api_users_enabled: number; members: number };
  /** Tokens of the running hour and day (UTC). */
  tokens: { hour: number; day: number };
}

export interface MemberJson {
  id: string;
  email: string;
  role: MemberRole;
  state: 'active' | 'invited';
  second_factor: boolean | null;
  created_at: string;
  expires_at: string | null;
}

export interface MemberInvitationJson {
  member: MemberJson;
  invitation_url: string;
  expires_at: string;
}

/** A credential that a member made. */
export interface MadeCredentialJson {
  client_id: string;
  api_user_name: string;
  id: string;
  name: string;
  kind: string;
}

export interface RefusedRequestJson {
  at: string;
  client_id: string;
  api_user_name: string;
  address: string | null;
  reason: string;
  detail: string | null;
  trace_id: string;
}

/** The token that the API user, or any of the organisation, would get. */
export interface TokenPreviewJson {
  header: Readonly<Record<string, unknown>>;
  claims: Readonly<Record<string, unknown>>;
  bytes: number;
  life_seconds: number;
}
