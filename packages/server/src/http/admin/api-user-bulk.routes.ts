import { Readable } from 'node:stream';
import Type from 'typebox';
import type { Change } from '../../admin/audited.ts';
import { apiUserFilter } from '../../domain/api-user-list.ts';
import { exportApiUsers } from '../../admin/api-user-export.ts';
import { importApiUsers, importedLineJson, type ImportOptions } from '../../admin/api-user-import.ts';
import { importLines } from '../../admin/api-user-import-lines.ts';
import type { TextLine } from '../../lib/text-lines.ts';
import { storeFault } from '../../storage/store-error.ts';
import { actorOf, type AdminApp } from './admin-app.ts';
import { apiUserFilterParameters } from './api-user.wire.ts';
import { changeOf, type AdminContext } from './context.ts';
import { refuseCharset } from './json-text.ts';
import { inLines } from './lines.ts';
import { Problem } from './problem.ts';
import { closedObject, CSV, lines, NDJSON } from './schema.ts';

const TAG = { tags: ['API users'] };

/**
 * Export and import of API users. An export has one JSON object per line. An import accepts that, a JSON
 * array or CSV.
 */
export async function bulkRoutes(app: AdminApp, context: AdminContext): Promise<void> {
  exportRoute(app, context);
  // Fastify scopes these parsers, so that no other route accepts such a body.
  await app.register(async (scope: AdminApp) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser([NDJSON, CSV], (request, body, callback) => {
      refuseCharset(request);
      callback(null, body);
    });
    importRoute(scope, context);
  });
}

function exportRoute(app: AdminApp, context: AdminContext): void {
  app.get(
    '/api-users/export',
    {
      config: { needs: 'read', raises: { parameter: 'digests', to: 'admin' }, action: 'api_user.export' },
      schema: {
        ...TAG,
        operationId: 'exportApiUsers',
        summary: 'API users, a line each, as `import` reads them: all, or those that the parameters name.',
        description:
          'The filters are those of the list. With `digests` for operators with the role `admin` only.',
        querystring: closedObject({
          ...apiUserFilterParameters,
          digests: Type.Optional(
            Type.Boolean({ description: 'With the digests of live credentials, never with secrets' }),
          ),
        }),
        response: { 200: lines('API users, a line each') },
      },
    },
    async (request, reply) => {
      const { digests = false, ...parameters } = request.query;
      const filter = apiUserFilter(parameters, actorOf(request));
      const records = exportApiUsers(changeOf(request, context), { digests, filter });
      reply.type(NDJSON).header('Content-Disposition', 'attachment; filename="api-users.ndjson"');
      return Readable.from(inLines(records, (record) => record));
    },
  );
}

function importRoute(app: AdminApp, context: AdminContext): void {
  app.post(
    '/api-users/import',
    {
      config: {
        needs: 'write',
        raises: { parameter: 'restore_deleted', to: 'admin' },
        action: 'api_user.import',
        streamsBody: true,
      },
      schema: {
        ...TAG,
        operationId: 'importApiUsers',
        summary: 'Makes an API user of each line.',
        description:
          'Each line by itself: one that is refused keeps no other from being made. The answer says of each what became of ' +
          'it, and in its last line how many: `made`; `exists`, if there is an API user with its external id or the same line made ' +
          'one before, and `differs` says in what; or `refused` and why. With `dry_run`, `would_make` in place of `made`. The body ' +
          'may also be a JSON array, or CSV whose first line names the members. With 503 the lines after the one that it names are ' +
          'not made.',
        consumes: [NDJSON, CSV],
        querystring: closedObject({
          dry_run: Type.Optional(
            Type.Boolean({ description: 'Says what would become of each line, and makes nothing' }),
          ),
          restore_deleted: Type.Optional(
            Type.Boolean({
              description:
                'Also makes API users with client ids of deleted ones, from an export of this store. For admins only',
            }),
          ),
        }),
        body: Type.Unsafe<Readable>({ description: 'API users, a line each' }),
        response: { 200: lines('A line for each line, and one at the end') },
      },
    },
    async (request, reply) => {
      const { config } = context;
      if (!(request.body instanceof Readable))
        throw new Problem('unsupported_media_type', `Send ${NDJSON} or ${CSV}.`);
      const body = request.body.iterator({ destroyOnReturn: false }); // it is the connection
      const inputLines = importLines(body, config.adminBodyBytesMax);
      const options = {
        now: context.now,
        dryRun: request.query.dry_run === true,
        restoreDeleted: request.query.restore_deleted === true,
      };
      const report = await imported(
        changeOf(request, context),
        inputLines,
        options,
        config.adminImportLinesMax,
      );
      reply.type(NDJSON);
      return report;
    },
  );
}

/** Returns the report after it has read the whole body: many clients read no answer while they send. */
async function imported(
  change: Change,
  inputLines: AsyncIterable<TextLine>,
  { now, ...options }: ImportOptions & Pick<AdminContext, 'now'>,
  linesMax: number,
): Promise<string> {
  const count = { made: 0, would_make: 0, refused: 0, exists: 0, not_read: 0 };
  const passedOver = () => void (count.not_read += 1);
  let report = '';
  let last = 0;
  try {
    for await (const line of importApiUsers(change, upTo(linesMax, inputLines, passedOver), now, options)) {
      report += `${JSON.stringify(importedLineJson(line))}\n`;
      if ('created' in line) count.made += 1;
      else if ('wouldMake' in line) count.would_make += 1;
      else if ('there' in line) count.exists += 1;
      else count.refused += 1;
      last = line.line;
    }
  } catch (error) {
    if (storeFault(error) === null) throw error;
    const progress = `${count.made} API users were made and ${count.refused} refused`;
    throw new Problem(
      'unavailable',
      `The store failed after line ${last}: ${progress}. Send the lines after it again.`,
      {
        headers: ['Connection', 'close'], // the rest is not read
        cause: error,
      },
    );
  }
  const { made, would_make: wouldMake, ...others } = count;
  const changes = options.dryRun === true ? { would_make: wouldMake } : { made };
  return `${report}${JSON.stringify({ outcome: options.dryRun === true ? 'checked' : 'done', ...changes, ...others })}\n`;
}

/** Yields the first `linesMax` lines. Reads and discards the others, so that the client reads the answer. */
async function* upTo(
  linesMax: number,
  inputLines: AsyncIterable<TextLine>,
  passedOver: () => void,
): AsyncGenerator<TextLine> {
  for await (const line of inputLines) {
    if (line.n <= linesMax) yield line;
    else passedOver();
  }
}
