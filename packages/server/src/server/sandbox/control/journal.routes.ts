import Type from 'typebox';
import type { AdminApp } from '../../../http/admin/admin-app.ts';
import {
  answerObject,
  closedObject,
  iso,
  nothing,
  nullable,
  oneOf,
  time,
} from '../../../http/admin/schema.ts';
import { ENDPOINT_NAMES, type Journal } from '../journal.ts';
import type { CurrentSandbox } from './current-sandbox.ts';

const TAG = { tags: ['Journal'] };
/** The most requests of one answer. */
const ITEMS_MAX = 1000;

const texts = (description: string) => Type.Record(Type.String(), Type.String(), { description });

const requestSchema = answerObject('A request that the sandbox received, without its secrets', {
  number: Type.Integer({ minimum: 1, description: 'Send the last one as `after` to read on' }),
  at: time('When it arrived, by the clock of the sandbox'),
  endpoint: oneOf(ENDPOINT_NAMES, 'What it was for'),
  method: Type.String(),
  url: Type.String({ description: 'Path and query' }),
  headers: texts('In lower case'),
  form: Type.Unsafe<Record<string, string> | null>({
    type: ['object', 'null'],
    additionalProperties: { type: 'string' },
    description: 'Null for another body',
  }),
  client_id: nullable(Type.String({ description: 'From the form or HTTP Basic' })),
  status: nullable(Type.Integer({ description: 'Null: not answered' })),
  fault: nullable(Type.String({ description: 'The fault that the sandbox applied, in JSON' })),
});

export function journalRoutes(app: AdminApp, sandbox: CurrentSandbox): void {
  app.get(
    '/requests',
    {
      schema: {
        ...TAG,
        operationId: 'listRequests',
        summary: 'The requests that the server received, the oldest first.',
        description: `At most ${ITEMS_MAX} at a time. The journal forgets the oldest of more than 10,000.`,
        querystring: closedObject({
          after: Type.Optional(Type.Integer({ minimum: 0, description: 'Only those with a larger number' })),
        }),
        response: {
          200: answerObject('The requests', { items: Type.Array(requestSchema) }),
        },
      },
    },
    async ({ query: { after = 0 } }) => ({
      items: await sandbox.use(({ journal }) => requestsAfter(journal, after)),
    }),
  );
  app.delete(
    '/requests',
    {
      schema: {
        ...TAG,
        operationId: 'clearRequests',
        summary: 'Clears the journal. The numbers of later requests still grow.',
        response: { 204: nothing('Cleared') },
      },
    },
    async (_request, reply) => {
      await sandbox.use(({ journal }) => journal.clear());
      return reply.code(204).send(null);
    },
  );
}

function requestsAfter({ requests, forgotten }: Journal, after: number) {
  const first = forgotten();
  const start = Math.max(0, after - first);
  return requests.slice(start, start + ITEMS_MAX).map(({ at, clientId, headers, form, ...rest }, i) => ({
    ...rest,
    number: first + start + i + 1,
    at: iso(at),
    headers: { ...headers },
    form: form && { ...form },
    client_id: clientId,
  }));
}
