import { MEMBER_ROLES } from './organisation.ts';
import type { AuditFilter } from './audit-filter.ts';
import type { AuditEntry, NamedAuditEntry } from './audit-entry.ts';

// The audit log as the admins of an organisation read it: its own entries, without what is of the platform.

/** Stands for operators, commands, the system and API users of the platform. */
export const PLATFORM_ACTOR_ID = 'platform';

const PLATFORM = {
  actorKind: 'operator',
  actorId: PLATFORM_ACTOR_ID,
  actorName: 'the platform',
  actorAddress: null,
  actorRole: null,
} as const;
const PLATFORM_REASON = 'The platform refused this to an operator.';
const OTHER_ORGANISATION = 'another organisation';

/** The filter of a reader in this organisation: the search for an actor finds no operator by id. */
export function filterForMembers(filter: AuditFilter, organisation: string): AuditFilter {
  const { actor = null } = filter;
  if (actor === null) return { ...filter, organisation };
  if (actor === PLATFORM_ACTOR_ID) return { ...filter, organisation, actor: null, byMembers: false };
  return { ...filter, organisation, byMembers: true };
}

/** The entry as members of this organisation see it. Search only this form. */
export function entryForMembers(entry: NamedAuditEntry, organisation: string): NamedAuditEntry {
  return {
    ...entry,
    ...(!isByMember(entry) && { ...PLATFORM, reason: entry.reason === null ? null : PLATFORM_REASON }),
    ...(isOfPlatform(entry.subjectKind) && { subjectId: null, subjectName: null }),
    ...(isOfPlatform(entry.relatedKind) && { relatedId: null, relatedName: null }),
    before: factsForMembers(entry, entry.before, organisation),
    after: factsForMembers(entry, entry.after, organisation),
  };
}

/** False for an operator that views an organisation. */
function isByMember({ actorKind, actorRole }: AuditEntry): boolean {
  return actorKind === 'member' && MEMBER_ROLES.some((role) => role === actorRole);
}

function isOfPlatform(kind: string | null): boolean {
  return kind === 'operator' || kind === 'session';
}

/** Settings of an organisation that the portal does not show, either. */
const OPERATOR_FACTS: ReadonlySet<string> = new Set(['introspects_all', 'violations']);

function factsForMembers(
  { subjectKind }: AuditEntry,
  facts: string | null,
  organisation: string,
): string | null {
  if (facts === null || subjectKind !== 'organisation') return withoutOthers(facts, organisation);
  const shown = Object.entries(JSON.parse(facts) as object).filter(([name]) => !OPERATOR_FACTS.has(name));
  return withoutOthers(JSON.stringify(Object.fromEntries(shown)), organisation);
}

/** A move names the other organisation, too. */
function withoutOthers(facts: string | null, organisation: string): string | null {
  if (facts === null) return null;
  return facts.replaceAll(/org_[0-9A-Za-z]{20}/g, (id) => (id === organisation ? id : OTHER_ORGANISATION));
}
