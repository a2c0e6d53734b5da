import type { AuditOutcome } from './audit-entry.ts';

/** Selects the entries of a list. A member that is null or left out sets no condition. */
export interface AuditFilter {
  /** Id of an actor. */
  actor?: string | null;
  /** True: only what members of organisations did. False: only what others did. */
  byMembers?: boolean | null;
  action?: string | null;
  /** Id of a subject or of its owner: a client id also selects the entries about its credentials. */
  subject?: string | null;
  /** Id of an organisation. */
  organisation?: string | null;
  outcome?: AuditOutcome | null;
  /** A part of a name, id, address, reason or changed value, in any letter case. */
  search?: string | null;
  /** The earliest time, in milliseconds since 1970 (UTC). */
  from?: number | null;
  /** The end of the period, exclusive, in milliseconds since 1970 (UTC). */
  to?: number | null;
}
