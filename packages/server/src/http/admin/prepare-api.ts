import cookie from '@fastify/cookie';
import type { FastifyRequest } from 'fastify';
import { limitedNetwork } from '../../domain/network.ts';
import { memoryCounters } from '../../storage/memory/counters.ts';
import { invitesBody } from '../framing.ts';
import { CREDENTIALS_IN_URL, urlHoldsSecret } from '../url-secrets.ts';
import type { AdminApp } from './admin-app.ts';
import type { AdminContext } from './context.ts';
import type { Gate } from './gate.ts';
import { escapeProblem, jsonTextOf } from './json-text.ts';
import { refuseParameters } from './parameters.ts';
import { Problem, problemOf, replyWithProblem, SECURITY_HEADERS, tooMany } from './problem.ts';

/**
 * Sets up everything that the routes of an API share: the admin API, and that of the portal. Register the
 * routes after this call. `refused` hears of every problem that a caller gets.
 */
export async function prepareApi(
  app: AdminApp,
  context: AdminContext,
  gate: Gate,
  refused: (request: FastifyRequest, problem: Problem['code']) => void = () => undefined,
): Promise<void> {
  app.decorateRequest('adminActor', null);
  app.decorateRequest('operatorSession', null);
  await app.register(cookie); // before the gate, which reads them
  onlyJson(app);
  limitAndGate(app, context, gate);
  app.setErrorHandler((error: Error, request, reply) => {
    const problem = problemOf(error);
    if (problem.code === 'server_error' || problem.code === 'unavailable') {
      context.log.error({ traceId: request.id, err: error }, 'a route of the admin API failed');
    }
    refused(request, problem.code);
    return replyWithProblem(reply, problem);
  });
}

const READING: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/** The limit per address, then the gate: both before Fastify reads a body. */
function limitAndGate(app: AdminApp, context: AdminContext, gate: Gate): void {
  const { config } = context;
  const addresses = memoryCounters(config.limiterKeysMax);
  app.addHook('onRoute', (route) => {
    const { needs: who, action } = route.config ?? {};
    if (who === undefined) throw new Error(`${route.url} does not say who may call it.`);
    const reads = [route.method].flat().every((method) => READING.has(method));
    if ((who === 'write' || who === 'admin') && !reads && action === undefined) {
      throw new Error(`${route.url} does not say what the audit log calls it.`);
    }
    route.bodyLimit ??= config.adminBodyBytesMax;
  });
  app.addHook('onRequest', async (request, reply) => {
    for (let i = 0; i < SECURITY_HEADERS.length; i += 2) {
      reply.header(SECURITY_HEADERS[i] as string, SECURITY_HEADERS[i + 1]);
    }
    const network = limitedNetwork(context.addressOf(request.raw));
    const limit = addresses.consume(network, config.adminAddressLimit, context.now());
    if (!limit.allowed) throw tooMany('Too many calls from this network address: wait.', limit.waitMs);
    if (urlHoldsSecret(request.url))
      throw new Problem('invalid', `${CREDENTIALS_IN_URL} send them in the body, and reset them.`);
    const { needs: usual = 'admin', raises } = request.routeOptions.config;
    const query = request.query as Record<string, unknown>;
    const needs = raises !== undefined && query[raises.parameter] === 'true' ? raises.to : usual;
    if (needs !== 'nothing') request.adminActor = await gate(request, needs);
  });
  // Invites the body only after the gate accepted the caller. Fastify refuses a body if its declared length
  // is over the limit.
  app.addHook('preParsing', (request, reply, payload, next) => {
    const { config: route, bodyLimit } = request.routeOptions;
    const bytesMax = route.streamsBody === true ? Number.POSITIVE_INFINITY : (bodyLimit ?? 0);
    if (!READING.has(request.method)) invitesBody(request.raw, reply.raw, bytesMax);
    next(null, payload);
  });
  // A change is in force in this process before its answer is sent, and in other processes within a second.
  app.addHook('onSend', async (request, reply) => {
    if (!READING.has(request.method) && reply.statusCode < 400) await context.followChanges();
  });
}

/** Accepts only JSON. An empty body counts as `{}`: clients omit the body if all members are optional. */
export function onlyJson(app: AdminApp): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, callback) => {
    const text = jsonTextOf(request, body as Buffer);
    if (text === '') return callback(null, {});
    void parse(request, text, (error, value) => {
      callback(error ?? escapeProblem(text, value), value);
    });
  });
  app.addHook('preValidation', (request, _reply, next) => {
    refuseParameters(request);
    if (request.body === undefined && request.routeOptions.schema?.body !== undefined) request.body = {};
    next();
  });
}
