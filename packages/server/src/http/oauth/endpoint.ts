import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { Config } from '../../config/config.ts';
import type { Caller } from '../../domain/caller.ts';
import { invalidRequest, isDenial, type Denial } from '../../domain/denial.ts';
import type { FailureBudgetServices } from '../../domain/failure-budget.ts';
import { limitedNetwork } from '../../domain/network.ts';
import type { Counters } from '../../domain/rate-limit.ts';
import { isRefusal, refusal, refusalReason, type Refusal } from '../../domain/refusal.ts';
import { ownPart } from '../../domain/shared-limit.ts';
import type { MaybePromise } from '../../lib/maybe-promise.ts';
import type { RouteStatistics } from '../../runtime/usage/route-statistics.ts';
import { sendAnswer, type Answer, type RequestHandler } from '../answer.ts';
import {
  denialAnswer,
  errorAnswer,
  errorResponse,
  overloadedAnswer,
  serverErrorAnswer,
} from '../error-response.ts';
import { parseForm, type Form } from '../form.ts';
import { invitesBody } from '../framing.ts';
import { header, text, type Description } from '../operation.ts';
import { RATE_LIMIT_HEADERS } from '../rate-limit-headers.ts';
import { traceIdOf } from '../trace.ts';
import type { Admission } from './admission.ts';
import type { AssertionQueue } from './assertion-queue.ts';
import { readBody } from './body.ts';
import { ASSERTION_TYPE, readCredentials, requestProblem, usesBasic } from './request-credentials.ts';

/** Dependencies of every endpoint that accepts a form with credentials. */
export interface FormEndpointServices extends Pick<
  FailureBudgetServices,
  'now' | 'addressPerMinute' | 'sharedLimits'
> {
  addressOf(request: IncomingMessage): string;
  /** Calls per network address. */
  addresses: Counters;
  admission: Admission;
  assertionQueue: AssertionQueue;
  noteRefusal(refusal: Refusal, nowMs: number): void;
  routes: { token: RouteStatistics; introspection: RouteStatistics; revocation: RouteStatistics };
  log: Logger;
}

/** One endpoint that accepts a form with credentials. */
export interface FormRoute {
  /** The name in the log. */
  name: string;
  /** The answer to any method but POST. */
  usage: string;
  statistics: RouteStatistics;
}

export type FormEndpointConfig = Pick<Config, 'bodyBytesMax'>;

/** A request that is being answered. */
interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  traceId: string;
  startedAt: number;
  address: string;
}

const OVERLOADED = refusal({ denied: 'overloaded' });

/**
 * An endpoint for API users, directly on node:http. `receive` runs before the body is read, `handle` after
 * it, and `finish` answers. Each endpoint supplies `answer`, which gets `services` as an argument because
 * this is the hot path.
 */
export function formEndpoint<S extends FormEndpointServices>(
  services: S,
  { bodyBytesMax }: FormEndpointConfig,
  route: FormRoute,
  answer: (services: S, caller: Caller, form: Form, nowMs: number) => MaybePromise<Answer | Refusal>,
): RequestHandler {
  const { addressPerMinute, sharedLimits, admission, assertionQueue } = services;

  function receive(request: IncomingMessage, response: ServerResponse): void {
    if (!admission.admits()) return shed(request, response);
    const traceId = traceIdOf(request.headers['traceparent']);
    const exchange = { request, response, traceId, startedAt: performance.now(), address: '' };
    try {
      if (request.method !== 'POST') return refuseMethod(exchange);
      exchange.address = services.addressOf(request);
      const nowMs = services.now();
      // This check comes before the body, so it uses the counts of this process. Shared limits come later.
      const parts = sharedLimits === null ? 1 : sharedLimits.parts();
      const network = limitedNetwork(exchange.address);
      const limit = services.addresses.consume(network, ownPart(addressPerMinute, parts), nowMs);
      if (!limit.allowed) {
        const denial = { denied: 'rate_limit_exceeded', policy: 'address', limit } as const;
        return finish(exchange, refusal(denial), nowMs);
      }
      if (!invitesBody(request, response, bodyBytesMax)) return handle(exchange, 'too large');
      readBody(request, bodyBytesMax, (body) => handle(exchange, body));
    } catch (error) {
      fail(exchange, error);
    }
  }

  /** Reads the clock once the body is there, and after each wait. */
  function handle(exchange: Exchange, body: Buffer | 'too large'): void {
    try {
      const nowMs = services.now();
      const form = formOf(exchange.request, body, bodyBytesMax);
      if (isDenial(form)) return finish(exchange, refusal(form), nowMs);
      const caller = callerOf(exchange, form);
      if (isDenial(caller)) return finish(exchange, refusal(caller), nowMs);
      if (caller.assertion === null) return respond(exchange, caller, form, nowMs);
      const isAdmitted = assertionQueue.add(() => respond(exchange, caller, form, services.now()));
      if (!isAdmitted) finish(exchange, OVERLOADED, nowMs);
    } catch (error) {
      fail(exchange, error);
    }
  }

  function respond(exchange: Exchange, caller: Caller, form: Form, nowMs: number): void {
    try {
      const outcome = answer(services, caller, form, nowMs);
      if (!(outcome instanceof Promise)) return finish(exchange, outcome, nowMs);
      admission
        .whileWaiting(outcome)
        .then((settled) => finish(exchange, settled, services.now()))
        .catch((error: unknown) => fail(exchange, error));
    } catch (error) {
      fail(exchange, error);
    }
  }

  function finish(exchange: Exchange, outcome: Answer | Refusal, nowMs: number): void {
    if (!isRefusal(outcome)) {
      send(exchange, outcome);
      return route.statistics.record('ok', performance.now() - exchange.startedAt);
    }
    services.noteRefusal(outcome, nowMs);
    const usedBasic = usesBasic(exchange.request.headers.authorization);
    send(exchange, denialAnswer(outcome.denial, exchange.traceId, usedBasic, nowMs));
    route.statistics.record(refusalReason(outcome.denial), performance.now() - exchange.startedAt);
  }

  /**
   * Refuses a request before its body. A body within the limit does not close the connection: a new
   * connection costs both sides more than the body.
   */
  function shed(request: IncomingMessage, response: ServerResponse): void {
    const traceId = traceIdOf(request.headers['traceparent']);
    route.statistics.noteUntouched('overloaded');
    services.noteRefusal(OVERLOADED, services.now());
    if (Number(request.headers['content-length'] ?? 0) > bodyBytesMax) response.shouldKeepAlive = false;
    sendAnswer(response, overloadedAnswer(traceId), traceId);
  }

  function refuseMethod(exchange: Exchange): void {
    route.statistics.record('method_not_allowed', performance.now() - exchange.startedAt);
    const allow = ['Allow', 'POST'];
    send(exchange, errorAnswer(405, 'method_not_allowed', route.usage, exchange.traceId, allow));
  }

  /** Answers a bug with 500. The log has the cause under the trace id. */
  function fail({ response, traceId, startedAt }: Exchange, error: unknown): void {
    route.statistics.record('server_error', performance.now() - startedAt);
    services.log.error({ traceId, err: error }, `${route.name} failed`);
    if (response.headersSent) response.destroy();
    else sendAnswer(response, serverErrorAnswer(traceId), traceId);
  }

  return receive;
}

function formOf(request: IncomingMessage, body: Buffer | 'too large', bytesMax: number): Form | Denial {
  const problem = requestProblem(request.headers, request.url ?? '');
  if (problem !== null) return problem;
  return body === 'too large'
    ? invalidRequest(`The body is longer than ${bytesMax} bytes: send only the documented parameters.`)
    : parseForm(body);
}

function callerOf({ request, address, traceId }: Exchange, form: Form): Caller | Denial {
  const credentials = readCredentials(form, request.headers.authorization);
  if (isDenial(credentials)) return credentials;
  const { clientId, clientSecret, assertion } = credentials;
  return { clientId, clientSecret, assertion, address, traceId };
}

function send({ request, response, traceId }: Exchange, answer: Answer): void {
  if (response.destroyed) return;
  if (!request.complete) response.shouldKeepAlive = false; // do not wait for the rest of the body
  sendAnswer(response, answer, traceId);
}

/** What the operations of all endpoints with a form and credentials share. `schema`: that of the form. */
export function formOperation(schema: string, responses: Description): Description {
  return {
    tags: ['Authentication'],
    security: [{}, { basic: [] }],
    requestBody: {
      content: {
        'application/x-www-form-urlencoded': { schema: { $ref: `#/components/schemas/${schema}` } },
      },
    },
    responses: {
      ...responses,
      '401': errorResponse('The client could not be authenticated, where HTTP Basic was used.', [
        'WWW-Authenticate',
      ]),
      '405': errorResponse('Any method but POST.', ['Allow']),
      '429': errorResponse('Rate limit reached.', ['Retry-After', ...Object.keys(RATE_LIMIT_HEADERS)]),
      '500': errorResponse('Unknown error.'),
      '503': errorResponse('Temporarily unavailable.', ['Retry-After']),
    },
  };
}

export const FORM_HEADERS: Description = { Allow: header('POST') };

export const CREDENTIAL_PARAMETERS: Description = {
  client_id: { ...text, description: 'API Client-Id or Username' },
  client_secret: { ...text, format: 'password', description: 'API Client secret or password' },
  client_assertion_type: {
    ...text,
    const: ASSERTION_TYPE,
    description: 'The type of client_assertion (RFC 7521 section 4.2)',
  },
  client_assertion: {
    ...text,
    description: 'In place of a secret: a JWT that proves the API user (RFC 7523)',
  },
};

/** A form about a token: RFC 7662 §2.1 and RFC 7009 §2.1. */
const TOKEN_FORM: Description = {
  type: 'object',
  required: ['token'],
  properties: {
    ...CREDENTIAL_PARAMETERS,
    token: { ...text, description: 'An access token' },
    token_type_hint: { ...text, description: 'Ignored: there are access tokens only' },
  },
};

export const TOKEN_FORM_SCHEMAS: Description = {
  IntrospectionRequest: TOKEN_FORM,
  RevocationRequest: TOKEN_FORM,
};
