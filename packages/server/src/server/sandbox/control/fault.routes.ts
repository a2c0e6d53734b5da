import Type, { type Static, type TSchema } from 'typebox';
import type { AdminApp } from '../../../http/admin/admin-app.ts';
import { closedObject, nothing, oneOf, text } from '../../../http/admin/schema.ts';
import { checkedFault, RESET_NAMES, TOKEN_FAULT_NAMES, type Fault } from '../faults.ts';
import { ENDPOINT_NAMES } from '../journal.ts';
import type { Sandbox } from '../sandbox.ts';
import type { CurrentSandbox } from './current-sandbox.ts';
import { span } from './span.wire.ts';

const TAG = { tags: ['Faults'] };
const SEQUENCE_MAX = 100;
const NAME_LENGTH_MAX = 300;

const endpoint = Type.Optional(oneOf(ENDPOINT_NAMES, 'Only there. Left out: at any request'));

const faultSchema = closedObject({
  endpoint,
  status: Type.Optional(
    Type.Integer({ minimum: 200, maximum: 599, description: 'An error of RFC 6749 with this status' }),
  ),
  retry_after: Type.Optional(Type.Integer({ minimum: 0, description: 'Seconds. With 429 or 503: 1' })),
  html: Type.Optional(Type.Literal(true, { description: 'A page of a proxy, with status 502 or `status`' })),
  delay: Type.Optional(span('The server gets the request after this time')),
  reset: Type.Optional(oneOf(RESET_NAMES, 'Where in the answer the connection is reset')),
  slow: Type.Optional(span('The body comes in 16 parts, with this wait before each')),
  token: Type.Optional(oneOf(TOKEN_FAULT_NAMES, 'What is wrong with the token')),
});

const sequenceSchema = closedObject({
  faults: Type.Array(faultSchema, {
    minItems: 1,
    maxItems: SEQUENCE_MAX,
    description: 'Of the next request, of the one after it at the same endpoint, and so on',
  }),
});

export function faultRoutes(app: AdminApp, sandbox: CurrentSandbox): void {
  const faultsOf = (work: (faults: Sandbox['faults']) => void | Promise<void>) =>
    sandbox.use(({ faults }) => work(faults));
  requestFaultRoutes(app, sandbox);
  changeRoute(app, {
    path: 'skew-clock',
    summary: 'The clock of the server is ahead of that of the sandbox.',
    body: closedObject({ seconds: Type.Number({ description: 'Negative: behind; 0: right again' }) }),
    change: ({ seconds }) => faultsOf((faults) => faults.skewClock(seconds)),
  });
  changeRoute(app, {
    path: 'store-away',
    summary: 'The store is out of reach for a time.',
    body: closedObject({ for: span('How long, by the clock of the sandbox') }),
    change: ({ for: length }) => faultsOf((faults) => faults.storeAway(length)),
  });
  changeRoute(app, {
    path: 'revoke-tokens',
    summary: 'Revokes all tokens of an API user.',
    body: closedObject({ client_id: text('Client id, or username', NAME_LENGTH_MAX) }),
    change: ({ client_id: clientId }) => faultsOf((faults) => faults.revokeTokens(clientId)),
  });
  changeRoute(app, {
    path: 'rotate-key',
    summary: 'A new key signs. Verifiers still accept tokens of the old one.',
    body: closedObject({}),
    change: () => faultsOf((faults) => faults.rotateKey()),
  });
  changeRoute(app, {
    path: 'withdraw-key',
    summary: 'A new key signs. Verifiers refuse all earlier tokens after their next fetch of the keys.',
    body: closedObject({}),
    change: () => faultsOf((faults) => faults.withdrawKey()),
  });
}

/** The faults of requests, which the library calls `next`, `during`, `bySeed` and `clear`. */
function requestFaultRoutes(app: AdminApp, sandbox: CurrentSandbox): void {
  changeRoute(app, {
    path: 'next',
    summary: 'Faults of the next requests.',
    body: sequenceSchema,
    change: (body) =>
      sandbox.use(({ faults }) => {
        const [first = {}, ...others] = body.faults.map(faultOf).map(checkedFault);
        let sequence = faults.next(first);
        for (const fault of others) sequence = sequence.then(fault);
      }),
  });
  changeRoute(app, {
    path: 'during',
    summary: 'A fault of every request for a time.',
    body: closedObject({ for: span('How long, by the clock of the sandbox'), fault: faultSchema }),
    change: (body) => sandbox.use(({ faults }) => faults.during(body.for, faultOf(body.fault))),
  });
  changeRoute(app, {
    path: 'by-seed',
    summary: 'Faults chosen by a seed: the same seed and the same requests bring the same faults.',
    body: closedObject({
      seed: Type.Integer(),
      rate: Type.Optional(Type.Number({ minimum: 0, maximum: 1, description: 'Left out: 0.3' })),
      endpoint,
    }),
    change: ({ seed, ...options }) => sandbox.use(({ faults }) => faults.bySeed(seed, options)),
  });
  app.delete(
    '/faults',
    {
      schema: {
        ...TAG,
        operationId: 'clearFaults',
        summary: 'Ends all faults of requests.',
        response: { 204: nothing('Cleared') },
      },
    },
    async (_request, reply) => {
      await sandbox.use(({ faults }) => faults.clear());
      return reply.code(204).send(null);
    },
  );
}

function faultOf({ retry_after: retryAfter, ...fault }: Static<typeof faultSchema>): Fault {
  return retryAfter === undefined ? fault : { ...fault, retryAfter };
}

interface ChangeRoute<S extends TSchema> {
  /** Below `/faults/`. In camel case, it is the operation id. */
  path: string;
  summary: string;
  body: S;
  change(body: Static<S>): Promise<void>;
}

function changeRoute<S extends TSchema>(app: AdminApp, route: ChangeRoute<S>): void {
  const { path, summary, body, change } = route;
  const operationId = `${path}-fault`.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
  app.post(
    `/faults/${path}`,
    { schema: { ...TAG, operationId, summary, body, response: { 204: nothing('Done') } } },
    async (request, reply) => {
      await change(request.body as Static<S>);
      return reply.code(204).send(null);
    },
  );
}
