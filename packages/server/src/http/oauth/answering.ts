import type { IncomingMessage } from 'node:http';
import type { Logger } from 'pino';
import type { Caller } from '../../domain/caller.ts';
import { invalidRequest, isDenial, type Denial } from '../../domain/denial.ts';
import type { FailureBudgetServices } from '../../domain/failure-budget.ts';
import type { Counters } from '../../domain/rate-limit.ts';
import { isRefusal, refusal, refusalReason, type Refusal } from '../../domain/refusal.ts';
import { steadyNow } from '../../lib/clock.ts';
import type { MaybePromise } from '../../lib/maybe-promise.ts';
import type { RouteStatistics } from '../../runtime/usage/route-statistics.ts';
import { sendAnswer, type Answer } from '../answer.ts';
import { denialAnswer, serverErrorAnswer } from '../error-response.ts';
import { parseForm, type Form } from '../form.ts';
import type { ServedRequest } from '../served-request.ts';
import type { ServedResponse } from '../served-response.ts';
import type { Admission } from './admission.ts';
import type { AssertionQueue } from './assertion-queue.ts';
import { createCohort } from './cohort.ts';
import { readCredentials, requestProblem, usesBasic } from './request-credentials.ts';

/** Dependencies of every endpoint that accepts a form with credentials. */
export interface FormEndpointServices extends Pick<
  FailureBudgetServices,
  'now' | 'addressPerMinute' | 'sharedLimits'
> {
  addressOf(request: IncomingMessage): string;
  /** Loads into the caches of the processor what look-ups of these API users will read. Skips usernames. */
  prefetchApiUsers(names: readonly string[]): void;
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

/** An answer, or one whose body is made in a step of its own, because that takes long. */
export type FormAnswer = Omit<Answer, 'body'> & { body: string | (() => string) };

/** A request that is being answered. */
export interface Exchange {
  request: ServedRequest;
  response: ServedResponse;
  traceId: string;
  startedAt: number;
  address: string;
  body: Buffer | 'too large';
  /** Null until the request is read, and again once it is decided. So is `form`. */
  caller: Caller | null;
  form: Form | null;
  /** Null until it is decided, and after it is sent. */
  outcome: FormAnswer | Refusal | null;
  /** When it was decided, in milliseconds since 1970. */
  nowMs: number;
}

/** How an endpoint answers the requests that it has received. */
export interface Answering {
  /** Answers a request whose body is there, together with others. */
  join(exchange: Exchange): void;
  answerNow(exchange: Exchange, outcome: FormAnswer | Refusal, nowMs: number): void;
  /** Answers a bug with 500. */
  fail(exchange: Exchange, error: unknown): void;
}

/** Decides about a request with these credentials. */
export type AnswerForm<S> = (
  services: S,
  caller: Caller,
  form: Form,
  nowMs: number,
) => MaybePromise<FormAnswer | Refusal>;

export interface AnsweringEndpoint<S> {
  bodyBytesMax: number;
  route: FormRoute;
  answer: AnswerForm<S>;
}

export const OVERLOADED: Refusal = refusal({ denied: 'overloaded' });

/**
 * Answers in four steps: `read` parses the form or refuses it, `decide` finds the outcome, `write` signs the
 * token, `finish` sends the answer. A request that waits for something leaves its cohort, and takes the last
 * two steps alone.
 */
export function createAnswering<S extends FormEndpointServices>(
  services: S,
  { bodyBytesMax, route, answer }: AnsweringEndpoint<S>,
): Answering {
  const { admission, assertionQueue } = services;

  /** The client ids or usernames of the requests in this cohort that are read and not decided. */
  let names: string[] = [];

  function read(exchange: Exchange): void {
    const form = formOf(exchange.request, exchange.body, bodyBytesMax);
    if (isDenial(form)) return settle(exchange, refusal(form), services.now());
    const caller = callerOf(exchange, form);
    if (isDenial(caller)) return settle(exchange, refusal(caller), services.now());
    exchange.caller = caller;
    exchange.form = form;
    names.push(caller.clientId);
  }

  function prefetch(): void {
    const all = names;
    names = [];
    if (all.length > 1) services.prefetchApiUsers(all);
  }

  /** Reads the clock once the body is there, and after each wait. */
  function decide(exchange: Exchange): void {
    const { caller, form } = exchange;
    if (caller === null || form === null) return;
    exchange.caller = null;
    exchange.form = null;
    if (names.length > 0) prefetch(); // the first request of a cohort does it for all
    const nowMs = services.now();
    if (caller.assertion === null) {
      const outcome = answer(services, caller, form, nowMs);
      if (outcome instanceof Promise) return answerLater(exchange, outcome);
      return settle(exchange, outcome, nowMs);
    }
    const isAdmitted = assertionQueue.add(() => answerInTurn(exchange, caller, form));
    if (!isAdmitted) settle(exchange, OVERLOADED, nowMs);
  }

  function settle(exchange: Exchange, outcome: FormAnswer | Refusal, nowMs: number): void {
    exchange.outcome = outcome;
    exchange.nowMs = nowMs;
  }

  function write({ outcome }: Exchange): void {
    if (outcome !== null && !isRefusal(outcome) && typeof outcome.body === 'function') {
      outcome.body = outcome.body();
    }
  }

  function finish(exchange: Exchange): void {
    const { outcome, nowMs } = exchange;
    if (outcome === null) return;
    exchange.outcome = null; // it is answered once, in its cohort or alone
    if (!isRefusal(outcome)) {
      send(exchange, outcome as Answer);
      return route.statistics.record('ok', steadyNow() - exchange.startedAt);
    }
    services.noteRefusal(outcome, nowMs);
    const usedBasic = usesBasic(exchange.request.headers.authorization);
    send(exchange, denialAnswer(outcome.denial, exchange.traceId, usedBasic, nowMs));
    route.statistics.record(refusalReason(outcome.denial), steadyNow() - exchange.startedAt);
  }

  /** Answers a request outside of its cohort. */
  function answerNow(exchange: Exchange, outcome: FormAnswer | Refusal, nowMs: number): void {
    settle(exchange, outcome, nowMs);
    write(exchange);
    finish(exchange);
  }

  function answerLater(exchange: Exchange, outcome: Promise<FormAnswer | Refusal>): void {
    admission
      .whileWaiting(outcome)
      .then((settled) => answerNow(exchange, settled, services.now()))
      .catch((error: unknown) => fail(exchange, error));
  }

  function answerInTurn(exchange: Exchange, caller: Caller, form: Form): void {
    try {
      const nowMs = services.now();
      const outcome = answer(services, caller, form, nowMs);
      if (outcome instanceof Promise) answerLater(exchange, outcome);
      else answerNow(exchange, outcome, nowMs);
    } catch (error) {
      fail(exchange, error);
    }
  }

  /** Answers a bug with 500. The log has the cause under the trace id. */
  function fail(exchange: Exchange, error: unknown): void {
    const { response, traceId, startedAt } = exchange;
    exchange.outcome = null;
    route.statistics.record('server_error', steadyNow() - startedAt);
    services.log.error({ traceId, err: error }, `${route.name} failed`);
    if (response.headersSent) response.destroy();
    else send(exchange, serverErrorAnswer(traceId));
  }

  return { join: createCohort([read, decide, write, finish], fail), answerNow, fail };
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

/** Sends an answer. If the body has not arrived whole, the connection ends after it. */
export function send({ request, response, traceId }: Exchange, answer: Answer): void {
  if (response.destroyed) return;
  if (!request.complete) response.shouldKeepAlive = false; // do not wait for the rest of the body
  sendAnswer(response, answer, traceId);
}
