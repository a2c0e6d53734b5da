import { Readable } from 'node:stream';
import Type from 'typebox';
import { AUDIT_ACTIONS, AUDIT_OUTCOMES, type AuditOutcome } from '../../domain/audit-entry.ts';
import type { AuditFilter } from '../../domain/audit-filter.ts';
import { exportAudit, listAudit, listHistory, verifyAudit } from '../../admin/audit.ts';
import { shareRun } from '../../lib/single-flight.ts';
import { actorOf, type AdminApp } from './admin-app.ts';
import { changeOf, type AdminContext } from './context.ts';
import { apiUserPath } from './api-user.routes.ts';
import {
  auditEntryJson,
  auditEntrySchema,
  auditVerificationJson,
  auditVerificationSchema,
} from './audit-entry.wire.ts';
import { inLines } from './lines.ts';
import {
  closedObject,
  lines,
  millisecondsOf,
  NDJSON,
  oneOf,
  PAGE_DEFAULT,
  pageOf,
  pageParameters,
  text,
  timeInput,
} from './schema.ts';

const TAG = { tags: ['Audit log'] };
const ID_LENGTH_MAX = 300;

const filterParameters = {
  actor: Type.Optional(text('Id of an operator, client id, or user of the operating system', ID_LENGTH_MAX)),
  action: Type.Optional(oneOf(AUDIT_ACTIONS, 'Changes of this kind')),
  subject: Type.Optional(text('Client id (with its credentials), or id of another thing', ID_LENGTH_MAX)),
  organisation: Type.Optional(text('Id of an organisation', ID_LENGTH_MAX)),
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
  organisation?: string;
  outcome?: AuditOutcome;
  search?: string;
  from?: string;
  to?: string;
}

function filterOf(parameters: FilterParameters): AuditFilter {
  const { actor, action, subject, organisation, outcome, search, from, to } = parameters;
  return {
    organisation: organisation ?? null,
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
  auditReadRoutes(app, context, 'read');
  verificationRoute(app, context);
}

/** Without the verification, which follows the chain of all entries. `needs`: to read the whole log. */
export function auditReadRoutes(app: AdminApp, context: AdminContext, needs: 'read' | 'admin'): void {
  app.addSchema(auditEntrySchema);
  listRoute(app, context, needs);
  historyRoute(app, context);
  exportRoute(app, context, needs);
}

function listRoute(app: AdminApp, { store }: AdminContext, needs: 'read' | 'admin'): void {
  app.get(
    '/audit',
    {
      config: { needs },
      schema: {
        ...TAG,
        operationId: 'listAudit',
        summary: 'Changes and refused attempts, the newest first.',
        description:
          'With `search` a page may hold fewer than `limit`, or none: the list ends where `next` is null.',
        querystring: closedObject({ ...filterParameters, ...pageParameters }),
        response: { 200: pageOf(auditEntrySchema) },
      },
    },
    async (request) => {
      const { limit = PAGE_DEFAULT, after = null, ...filter } = request.query;
      const reader = { store, actor: actorOf(request) };
      const { items, next } = await listAudit(reader, filterOf(filter), { after, limit });
      return { items: items.map(auditEntryJson), next };
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
        querystring: closedObject(pageParameters),
        response: { 200: pageOf(auditEntrySchema) },
      },
    },
    async (request) => {
      const { limit = PAGE_DEFAULT, after = null } = request.query;
      const page = { after, limit };
      const { client_id: name } = request.params;
      const { items, next } = await listHistory({ store, actor: actorOf(request) }, name, page);
      return { items: items.map(auditEntryJson), next };
    },
  );
}

function exportRoute(app: AdminApp, context: AdminContext, needs: 'read' | 'admin'): void {
  app.get(
    '/audit/export',
    {
      config: { needs },
      schema: {
        ...TAG,
        operationId: 'exportAudit',
        summary:
          'The entries in the order of the chain, one JSON object per line. The export itself is recorded.',
        querystring: closedObject(filterParameters),
        response: { 200: lines('AuditEntry, a line each') },
      },
    },
    async (request, reply) => {
      const entries = exportAudit(changeOf(request, context), filterOf(request.query));
      reply.type(NDJSON).header('Content-Disposition', 'attachment; filename="audit.ndjson"');
      return Readable.from(inLines(entries, auditEntryJson));
    },
  );
}

function verificationRoute(app: AdminApp, { store }: AdminContext): void {
  /** Requests during a verification share its result. */
  const verify = shareRun(() => verifyAudit(store));
  app.get(
    '/audit/verification',
    {
      config: { needs: 'read' },
      schema: {
        ...TAG,
        operationId: 'verifyAudit',
        summary: 'Follows the chain of hashes from end to end.',
        response: { 200: auditVerificationSchema },
      },
    },
    async () => auditVerificationJson(await verify()),
  );
}
