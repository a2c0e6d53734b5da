import Type, { type TUnsafe } from 'typebox';
import type { AuditVerification } from '../../admin/audit.ts';
import { ACTOR_KINDS, ROLES } from '../../domain/actor.ts';
import {
  AUDIT_ACTIONS,
  AUDIT_OUTCOMES,
  AUDIT_SUBJECT_KINDS,
  factsIn,
  type AuditFacts,
  type NamedAuditEntry,
} from '../../domain/audit-entry.ts';
import { answerObject, closedObject, iso, nullable, oneOf, shared, time, type Shared } from './schema.ts';

// Entries of the audit log in JSON, and the result of a verification of its chain. The types of kinds and
// actions are `string`, because a later version may have written others. The schemas list those of today.

export interface AuditSubjectJson {
  kind: string;
  /** Null: the attempt found no such thing, or was about one that did not exist yet. */
  id: string | null;
  /** Something that was deleted keeps its last name here. */
  name: string | null;
}

export interface AuditEntryJson {
  n: number;
  at: string;
  actor: { kind: string; id: string; name: string; address: string | null; role: string | null };
  action: string;
  outcome: string;
  subject: AuditSubjectJson;
  related: AuditSubjectJson | null;
  /** After tampering in the store, the value may have another type. */
  before: AuditFacts | null;
  after: AuditFacts | null;
  reason: string | null;
  organisation_id: string | null;
  hash: string;
}

const subjectSchema = closedObject({
  kind: oneOf(AUDIT_SUBJECT_KINDS, 'What it is'),
  id: nullable(Type.String()),
  name: nullable(
    Type.String({
      description:
        'Name, or e-mail address of an operator: the present one, or the last of what was deleted. Not in the hash',
    }),
  ),
});

export const auditEntrySchema: Shared<AuditEntryJson> = shared(
  'AuditEntry',
  'A change, or a refused attempt to make one',
  {
    n: Type.Integer({ minimum: 1, description: 'Its number in the chain, without gaps' }),
    at: time('When it was'),
    actor: closedObject({
      kind: oneOf(ACTOR_KINDS, 'Who it was'),
      id: Type.String(),
      name: Type.String(),
      address: nullable(Type.String({ description: 'From where' })),
      role: nullable(oneOf([...ROLES, 'member'] as const, 'The role of an operator or member at that time')),
    }),
    action: oneOf(AUDIT_ACTIONS, 'What was done, or asked for'),
    outcome: oneOf(AUDIT_OUTCOMES, 'Whether it was done'),
    subject: subjectSchema,
    related: Type.Unsafe<object | null>({ anyOf: [subjectSchema, { type: 'null' }] }),
    before: Type.Unknown({ description: 'What was changed, as it was' }),
    after: Type.Unknown({ description: 'and as it is since then' }),
    reason: nullable(Type.String({ description: 'Why it was refused' })),
    organisation_id: nullable(Type.String({ description: 'The organisation that the entry is about' })),
    hash: Type.String({ description: 'SHA-256 of this entry and the hash of the one before' }),
  },
) as Shared<AuditEntryJson>;

export function auditEntryJson(entry: NamedAuditEntry): AuditEntryJson {
  return {
    n: entry.n,
    at: iso(entry.at),
    actor: {
      kind: entry.actorKind,
      id: entry.actorId,
      name: entry.actorName,
      address: entry.actorAddress,
      role: entry.actorRole,
    },
    action: entry.action,
    outcome: entry.outcome,
    subject: { kind: entry.subjectKind, id: entry.subjectId, name: entry.subjectName },
    related:
      entry.relatedKind === null
        ? null
        : { kind: entry.relatedKind, id: entry.relatedId, name: entry.relatedName },
    before: factsIn(entry.before) as AuditFacts | null,
    after: factsIn(entry.after) as AuditFacts | null,
    reason: entry.reason,
    organisation_id: entry.organisationId,
    hash: entry.hash,
  };
}

export interface AuditVerificationJson {
  entries: number;
  valid: boolean;
  head: string | null;
  removed: number;
  first_bad: number | null;
  fault: string | null;
}

export const auditVerificationSchema: TUnsafe<AuditVerificationJson> = Type.Unsafe<AuditVerificationJson>(
  answerObject('The whole chain, followed', {
    entries: Type.Integer({
      minimum: 0,
      description: 'How many were looked at: all, where the chain is whole',
    }),
    valid: Type.Boolean({ description: 'Whether each entry follows from the one before' }),
    head: nullable(
      Type.String({
        description: '`n:hash` of the last entry, to be noted elsewhere (mintmark audit verify)',
      }),
    ),
    removed: Type.Integer({ minimum: 0, description: 'Up to here entries were removed' }),
    first_bad: nullable(Type.Integer({ description: 'The first entry that is not as it was written' })),
    fault: nullable(Type.String({ description: 'changed, missing, added or unlike' })),
  }),
);

export function auditVerificationJson({
  entries,
  valid,
  head,
  removed,
  firstBad,
}: AuditVerification): AuditVerificationJson {
  return {
    entries,
    valid,
    head: head.n === 0 ? null : `${head.n}:${head.hash}`,
    removed: removed.n,
    first_bad: firstBad?.n ?? null,
    fault: firstBad?.fault ?? null,
  };
}
