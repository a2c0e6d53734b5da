import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { Config } from '../../config/config.ts';
import type { Caller } from '../../domain/caller.ts';
import type { AuthenticatingServices } from '../../oauth/authenticate-api-user.ts';
import type { Counters } from '../../domain/rate-limit.ts';
import { andThen, type MaybePromise } from '../../lib/maybe-promise.ts';
import { invalidRequest, isDenial, type Denial } from '../../domain/denial.ts';
import { limitedNetwork } from '../../domain/network.ts';
import { ownPart } from '../../domain/shared-limit.ts';
import { isAnonymous, refusalReason } from '../../domain/refusal-reason.ts';
import type { Admission } from './admission.ts';
import { sendAnswer, type Answer, type RequestHandler } from '../answer.ts';
import { readBody } from './body.ts';
import { readCredentials, requestProblem, usesBasic } from './request-credentials.ts';
import { denialAnswer, errorAnswer, overloadedAnswer, serverErrorAnswer } from '../error-response.ts';
import { parseForm, type Form } from '../form.ts';
import { invitesBody } from '../framing.ts';
import { traceIdOf } from '../trace.ts';
import type { RouteStatistics } from '../../runtime/usage/route-statistics.ts';

/** What every endpoint needs that takes a form with credentials. */
export interface FormEndpointServices extends AuthenticatingServices {
  /** Calls per network address. */
  addresses: Counters;
  addressOf(request: IncomingMessage): string;
  admission: Admission;
  /** Counts a refusal in which no API user has a part; all others domain/as-api-user.ts notes. */
  noteAnonymousRefusal(denial: Denial): void;
  routes: { token: RouteStatistics; introspection: RouteStatistics; revocation: RouteStatistics };
  log: Logger;
}

/** What makes an endpoint that takes a form with credentials this one. */
export interface FormEndpoint<T extends object> {
  /** For the log. */
  name: string;
  /** Told to who uses another method than POST. */
  usage: string;
  /** What the caller asks for, or why not. It is not authenticated yet: domain/as-api-user.ts does that. */
  act(caller: Caller, form: Form): MaybePromise<T | Denial>;
  answer(outcome: T, nowMs: number): Answer;
  statistics: RouteStatistics;
}

export type FormEndpointConfig = Pick<Config, 'bodyBytesMax'>;

const OVERLOADED = { denied: 'overloaded' } as const satisfies Denial;

/**
 * An endpoint for API users, straight on node:http: the way of a request from its method to its answer, with the same
 * limits, checks and errors for all of them.
 */
export function formEndpoint<T extends object>(
  services: FormEndpointServices,
  config: FormEndpointConfig,
  endpoint: FormEndpoint<T>,
): RequestHandler {
  const { addressPerMinute, sharedLimits, admission } = services;

  /** Before the body is read: the connection stays open, because another would cost both sides more than a body. */
  function refuse(request: IncomingMessage, response: ServerResponse): void {
    const traceId = traceIdOf(request.headers['traceparent']);
    endpoint.statistics.noteUntouched(OVERLOADED.denied);
    services.noteAnonymousRefusal(OVERLOADED);
    if (Number(request.headers['content-length'] ?? 0) > config.bodyBytesMax)
      response.shouldKeepAlive = false;
    sendAnswer(response, overloadedAnswer(traceId), traceId);
  }

  function handle(
    request: IncomingMessage,
    response: ServerResponse,
    traceId: string,
    startedAt: number,
  ): void {
    if (request.method !== 'POST') {
      endpoint.statistics.note('method_not_allowed', performance.now() - startedAt);
      return send(errorAnswer(405, 'method_not_allowed', endpoint.usage, traceId, ['Allow', 'POST']));
    }
    const address = services.addressOf(request);
    // Before the body is read, and so by what this process knows: the call that all processes count comes later.
    const perMinute =
      sharedLimits === null ? addressPerMinute : ownPart(addressPerMinute, sharedLimits.parts());
    const limit = services.addresses.take(limitedNetwork(address), perMinute, services.now());
    if (!limit.allowed) return respond({ denied: 'rate_limit_exceeded', policy: 'address', limit });
    const act = (body: Buffer | 'too large') =>
      guarded(response, traceId, startedAt, () =>
        andThen(admission.whileWaiting(outcomeOf(request, traceId, body, address)), respond),
      );
    if (invitesBody(request, response, config.bodyBytesMax)) readBody(request, config.bodyBytesMax, act);
    else act('too large');

    function respond(outcome: T | Denial): void {
      const nowMs = services.now();
      if (isDenial(outcome) && isAnonymous(outcome)) services.noteAnonymousRefusal(outcome);
      send(
        isDenial(outcome)
          ? denialAnswer(outcome, traceId, usesBasic(request.headers.authorization), nowMs)
          : endpoint.answer(outcome, nowMs),
      );
      const ended = isDenial(outcome) ? refusalReason(outcome) : 'ok';
      endpoint.statistics.note(ended, performance.now() - startedAt);
    }

    function send(answer: Answer): void {
      if (response.destroyed) return;
      if (!request.complete) response.shouldKeepAlive = false; // what is left of a body is not waited for
      sendAnswer(response, answer, traceId);
    }
  }

  function outcomeOf(
    request: IncomingMessage,
    traceId: string,
    body: Buffer | 'too large',
    address: string,
  ): MaybePromise<T | Denial> {
    const { headers } = request;
    const problem = requestProblem(headers, request.url ?? '');
    if (problem !== null) return problem;
    if (body === 'too large') {
      return invalidRequest(
        `The body is longer than ${config.bodyBytesMax} bytes: send only the documented parameters.`,
      );
    }
    const form = parseForm(body);
    if (isDenial(form)) return form;
    const credentials = readCredentials(form, headers.authorization);
    if (isDenial(credentials)) return credentials;
    const { clientId, clientSecret } = credentials;
    return endpoint.act({ clientId, clientSecret, address, traceId }, form);
  }

  /** A bug becomes 500: the cause goes to the log, under the trace id. */
  function guarded(
    response: ServerResponse,
    traceId: string,
    startedAt: number,
    work: () => MaybePromise<void>,
  ): void {
    const failed = (error: unknown) => {
      endpoint.statistics.note('server_error', performance.now() - startedAt);
      services.log.error({ traceId, err: error }, `${endpoint.name} failed`);
      if (response.headersSent) response.destroy();
      else sendAnswer(response, serverErrorAnswer(traceId), traceId);
    };
    try {
      const working = work();
      if (working instanceof Promise) working.catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  return (request, response) => {
    if (!admission.admits()) return refuse(request, response);
    const traceId = traceIdOf(request.headers['traceparent']);
    const startedAt = performance.now();
    guarded(response, traceId, startedAt, () => handle(request, response, traceId, startedAt));
  };
}
