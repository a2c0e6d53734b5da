import { Readable } from 'node:stream';
import Type, { type TUnsafe } from 'typebox';
import { ACTOR_KINDS, ROLES } from '../../domain/actor.ts';
import {
  AUDIT_ACTIONS,
  AUDIT_OUTCOMES,
  AUDIT_SUBJECT_KINDS,
  shownAuditEntry,
  type AuditOutcome,
} from '../../domain/audit-entry.ts';
import type { AuditFilter } from '../../domain/audit-filter.ts';
import {
  exportAudit,
  listAudit,
  listHistory,
  verifyAudit,
  type AuditVerification,
} from '../../admin/audit.ts';
import type { AdminApp } from './admin-app.ts';
import { changeOf, type AdminContext } from './context.ts';
import { apiUserPath } from './api-user.routes.ts';
import { inLines } from './lines.ts';
import {
  lines,
  millisecondsOf,
  NDJSON,
  nullable,
  oneOf,
  PAGE_DEFAULT,
  pageOf,
  pageParameters,
  shared,
  text,
  time,
  timeInput,
  type Shared,
} from './schema.ts';

const TAG = { tags: ['Audit log'] };
const closed = { additionalProperties: false };
const ID_LENGTH_MAX = 300;

const subjectSchema = Type.Object(
  {
    kind: oneOf(AUDIT_SUBJECT_KINDS, 'What it is'),
    id: nullable(Type.String()),
    name: nullable(
      Type.String({
        description:
          'Name, or e-mail address of an operator: the present one, or the last of what was deleted. Not in the hash',
      }),
    ),
  },
  closed,
);

const entrySchema: Shared<Record<string, unknown>> = shared(
  'AuditEntry',
  Type.Unsafe<Record<string, unknown>>(
    Type.Object(
      {
        n: Type.Integer({ minimum: 1, description: 'Its number in the chain, without gaps' }),
        at: time('When it was'),
        actor: Type.Object(
          {
            kind: oneOf(ACTOR_KINDS, 'Who it was'),
            id: Type.String(),
            name: Type.String(),
            address: nullable(Type.String({ description: 'From where' })),
            role: nullable(oneOf(ROLES, 'The role of an operator at that time')),
          },
          closed,
        ),
        action: oneOf(AUDIT_ACTIONS, 'What was done, or asked for'),
        outcome: oneOf(AUDIT_OUTCOMES, 'Whether it was done'),
        subject: subjectSchema,
        related: Type.Unsafe<object | null>({ anyOf: [subjectSchema, { type: 'null' }] }),
        before: Type.Unknown({ description: 'What was changed, as it was' }),
        after: Type.Unknown({ description: 'and as it is since then' }),
        reason: nullable(Type.String({ description: 'Why it was refused' })),
        hash: Type.String({ description: 'SHA-256 of this entry and the hash of the one before' }),
      },
      { ...closed, description: 'A change, or a refused attempt to make one' },
    ),
  ),
);

const filterParameters = {
  actor: Type.Optional(text('Id of an operator, client id, or user of the operating system', ID_LENGTH_MAX)),
  action: Type.Optional(oneOf(AUDIT_ACTIONS, 'Changes of this kind')),
  subject: Type.Optional(text('Client id (with its credentials), or id of another thing', ID_LENGTH_MAX)),
  outcome: Type.Optional(oneOf(AUDIT_OUTCOMES, 'What was done, or what was refused')),
  search: Type.Optional(
    text('A part of a name, id, address, reason or changed value, in any letter case', ID_LENGTH_MAX),
  ),
  from: Type.Optional(timeInput('From then on')),
  to: Type.Optional(timeInput('Before then')),
};

interface FilterParameters {
  actor?: string;
  action?: string;
  subject?: string;
  outcome?: AuditOutcome;
  search?: string;
  from?: string;
  to?: string;
}

function filterOf({ actor, action, subject, outcome, search, from, to }: FilterParameters): AuditFilter {
  return {
    actor: actor ?? null,
    action: action ?? null,
    subject: subject ?? null,
    outcome: outcome ?? null,
    search: search?.trim() || null,
    from: millisecondsOf(from, '?from'),
    to: millisecondsOf(to, '?to'),
  };
}

export function auditRoutes(app: AdminApp, context: AdminContext): void {
  app.addSchema(entrySchema);
  listRoute(app, context);
  historyRoute(app, context);
  exportRoute(app, context);
  verificationRoute(app, context);
}

function listRoute(app: AdminApp, { store }: AdminContext): void {
  app.get(
    '/audit',
    {
      config: { needs: 'read' },
      schema: {
        ...TAG,
        operationId: 'listAudit',
        summary: 'Changes and refused attempts, the newest first.',
        description:
          'With `search` a page may hold fewer than `limit`, or none: the list ends where `next` is null.',
        querystring: Type.Object({ ...filterParameters, ...pageParameters }, closed),
        response: { 200: pageOf(entrySchema) },
      },
    },
    async ({ query: { limit = PAGE_DEFAULT, after = null, ...filter } }) => {
      const { items, next } = await listAudit(store, filterOf(filter), { after, limit });
      return { items: items.map(shownAuditEntry), next };
    },
  );
}

function historyRoute(app: AdminApp, { store }: AdminContext): void {
  app.get(
    '/api-users/:client_id/history',
    {
      config: { needs: 'read' },
      schema: {
        tags: ['API users'],
        operationId: 'readHistory',
        summary:
          'What was done to an API user and its credentials, the newest first; also to one that was deleted.',
        params: apiUserPath,
        querystring: Type.Object(pageParameters, closed),
        response: { 200: pageOf(entrySchema) },
      },
    },
    async ({ params, query: { limit = PAGE_DEFAULT, after = null } }) => {
      const { items, next } = await listHistory(store, params.client_id, { after, limit });
      return { items: items.map(shownAuditEntry), next };
    },
  );
}

function exportRoute(app: AdminApp, context: AdminContext): void {
  app.get(
    '/audit/export',
    {
      config: { needs: 'read' },
      schema: {
        ...TAG,
        operationId: 'exportAudit',
        summary:
          'The entries in the order of the chain, a JSON object a line. The export itself is recorded.',
        querystring: Type.Object(filterParameters, closed),
        response: { 200: lines('AuditEntry, a line each') },
      },
    },
    async (request, reply) => {
      const entries = exportAudit(changeOf(request, context), filterOf(request.query));
      reply.type(NDJSON).header('Content-Disposition', 'attachment; filename="audit.ndjson"');
      return Readable.from(inLines(entries, shownAuditEntry));
    },
  );
}

interface VerificationJson {
  entries: number;
  valid: boolean;
  head: string | null;
  removed: number;
  first_bad: number | null;
  fault: string | null;
}

const verificationSchema: TUnsafe<VerificationJson> = Type.Unsafe<VerificationJson>(
  Type.Object(
    {
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
    },
    { ...closed, description: 'The whole chain, followed' },
  ),
);

function verificationRoute(app: AdminApp, { store }: AdminContext): void {
  /** Who asks while one is under way gets the result of that one. */
  let underWay: Promise<AuditVerification> | undefined;
  app.get(
    '/audit/verification',
    {
      config: { needs: 'read' },
      schema: {
        ...TAG,
        operationId: 'verifyAudit',
        summary: 'Follows the chain of hashes from end to end.',
        response: { 200: verificationSchema },
      },
    },
    async () => {
      underWay ??= verifyAudit(store).finally(() => {
        underWay = undefined;
      });
      const { entries, valid, head, removed, firstBad } = await underWay;
      return {
        entries,
        valid,
        head: head.n === 0 ? null : `${head.n}:${head.hash}`,
        removed: removed.n,
        first_bad: firstBad?.n ?? null,
        fault: firstBad?.fault ?? null,
      };
    },
  );
}
