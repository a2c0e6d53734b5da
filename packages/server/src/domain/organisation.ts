import type { Claims } from './claims.ts';
import type { CredentialKind } from './credential.ts';

/**
 * An advertiser, an agency or a team, with members who manage its API users, as stored. Times are
 * milliseconds since 1970 (UTC).
 */
export interface Organisation {
  /** `org_` and 20 characters. Never changes. */
  id: string;
  name: string;
  /** The people behind it: an e-mail address or a team. */
  contact: string | null;
  /** Its id in another system; unique. */
  externalId: string | null;
  /** False: its API users get no tokens, and its members see nothing. */
  enabled: boolean;
  policy: OrganisationPolicy;
  /** Claims of the tokens of all its API users. */
  claims: Claims;
  createdAt: number;
  updatedAt: number;
  /** Starts at 1 and grows by one with each change. */
  version: number;
}

/** The part of an organisation that operators choose. */
export type OrganisationSettings = Pick<
  Organisation,
  'name' | 'contact' | 'externalId' | 'policy' | 'claims'
>;

/** What the API users of an organisation may be and have. Operators set it. */
export interface OrganisationPolicy {
  /** The scopes that they may have. None of them begins with `mintmark:`. */
  scopes: readonly string[];
  /** The audiences that they may have. Empty: only the server's default audience. */
  audiences: readonly string[];
  credentialKinds: readonly CredentialKind[];
  /** The longest life of a new credential, in days; null: no bound. */
  credentialDaysMax: number | null;
  apiUsersMax: number;
  /** The highest limit of one API user, in calls per minute; null: no bound. */
  apiUserLimitMax: number | null;
  /** Calls of the token endpoint per minute, of all its API users together; null: no such limit. */
  limitPerMinute: number | null;
  quota: TokenQuota;
  /** Life of its access tokens; null: the server's. At most the server's. */
  tokenLifeSeconds: number | null;
  /** Networks from which its API users may call, whatever their own settings. Empty: every network. */
  allowedNetworks: readonly string[];
  /** Members need a second factor. */
  secondFactorRequired: boolean;
  /** The issuers that trust rules may name. */
  trustIssuers: readonly string[];
  /** Its API users may introspect tokens of other organisations, too. */
  introspectsAll: boolean;
  /**
   * What happens to API users and credentials that a stricter policy forbids. `report`: they are listed and
   * keep working. `end`: the change of the policy disables or retires them.
   */
  violations: (typeof VIOLATION_MODES)[number];
}

export const VIOLATION_MODES = ['report', 'end'] as const;
export const QUOTA_MODES = ['observe', 'enforce'] as const;

/** Tokens of all API users of an organisation together, per hour and day (UTC). */
export interface TokenQuota {
  /** `observe`: tokens beyond the quota are issued and reported. `enforce`: they are refused. */
  mode: (typeof QUOTA_MODES)[number];
  /** Null: no quota. */
  tokensPerHour: number | null;
  /** Null: no quota. */
  tokensPerDay: number | null;
}

/** The policy of an organisation for which the operator chose nothing. */
export const DEFAULT_POLICY: OrganisationPolicy = {
  scopes: [],
  audiences: [],
  credentialKinds: ['secret', 'key', 'trust'],
  credentialDaysMax: null,
  apiUsersMax: 100,
  apiUserLimitMax: null,
  limitPerMinute: null,
  quota: { mode: 'observe', tokensPerHour: null, tokensPerDay: null },
  tokenLifeSeconds: null,
  allowedNetworks: [],
  secondFactorRequired: false,
  trustIssuers: [],
  introspectsAll: false,
  violations: 'report',
};

/** Every process holds all organisations in memory. */
export const ORGANISATIONS_MAX = 100_000;

export const MEMBER_ROLES = ['member', 'admin'] as const;
/**
 * The rights of a member in an organisation: a member sees and manages its API users, an admin also its
 * members.
 */
export type MemberRole = (typeof MEMBER_ROLES)[number];

/** A person in an organisation. The same person may be a member of several. */
export interface Member {
  organisationId: string;
  /** The id of the person's account (operator.ts). */
  operatorId: string;
  email: string;
  role: MemberRole;
  secondFactor: boolean;
  createdAt: number;
}
