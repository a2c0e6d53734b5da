import type { AuditOutcome } from './audit-entry.ts';

/** Which entries a list has; members that are left out or null say nothing. */
export interface AuditFilter {
  /** Id of an actor. */
  actor?: string | null;
  action?: string | null;
  /** Id of what an entry is about, or of whose that is: with a client id also what concerns its credentials. */
  subject?: string | null;
  outcome?: AuditOutcome | null;
  /** A part of a name, id, address, reason or changed value, in any letter case. */
  search?: string | null;
  /** Milliseconds since 1970: from then on, */
  from?: number | null;
  /** and before then. */
  to?: number | null;
}
