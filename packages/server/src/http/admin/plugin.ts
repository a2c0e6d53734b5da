import cookie from '@fastify/cookie';
import type { FastifyInstance } from 'fastify';
import { limitedNetwork } from '../../domain/network.ts';
import { memoryCounters } from '../../storage/memory/counters.ts';
import { VERSION } from '../../lib/version.ts';
import { invitesBody } from '../framing.ts';
import { CREDENTIALS_IN_URL, urlHoldsSecret } from '../url-secrets.ts';
import type { AdminApp, SchemaTypes } from './admin-app.ts';
import { keySourceRoutes } from './key-source.routes.ts';
import { invitationRoutes } from './invitation.routes.ts';
import { apiUserRoutes } from './api-user.routes.ts';
import { auditRoutes } from './audit.routes.ts';
import { bulkRoutes } from './api-user-bulk.routes.ts';
import { credentialSchema } from './credential.wire.ts';
import { eventsRoute } from './events.routes.ts';
import { credentialRoutes } from './credential.routes.ts';
import type { AdminContext } from './context.ts';
import { createGate, type Gate } from './gate.ts';
import { adminDocument } from './openapi.ts';
import { escapeProblem, jsonTextOf } from './json-text.ts';
import { refuseParameters } from './parameters.ts';
import { operatorRoutes } from './operator.routes.ts';
import { overviewRoute } from './overview.routes.ts';
import { Problem, problemOf, replyWithProblem, SECURITY_HEADERS, tooMany } from './problem.ts';
import { profileRoutes } from './profile.routes.ts';
import { refusedRequestRoutes } from './refused-request.routes.ts';
import { openSecretLinkRoutes, secretLinkRoutes } from './secret-link.routes.ts';
import { sessionRoutes } from './session.routes.ts';
import { signingKeyRoutes } from './signing-key.routes.ts';
import { trustCheckRoutes } from './trust-check.routes.ts';
import { usageRoutes } from './usage.routes.ts';

/**
 * Sets up the admin API: everything that its routes share. Before Fastify reads a body, it runs the hooks in
 * this order: the limit per address, then the gate.
 */
export async function adminPlugin(
  plain: FastifyInstance,
  { context }: { context: AdminContext },
): Promise<void> {
  const app = plain.withTypeProvider<SchemaTypes>();
  app.decorateRequest('adminActor', null);
  app.decorateRequest('operatorSession', null);
  await app.register(cookie); // before the gate, which reads them
  onlyJson(app);
  const gate = createGate(context);
  limitAndGate(app, context, gate);
  app.setErrorHandler((error: Error, request, reply) => {
    const problem = problemOf(error);
    if (problem.code === 'server_error' || problem.code === 'unavailable') {
      context.log.error({ traceId: request.id, err: error }, 'a route of the admin API failed');
    }
    return replyWithProblem(reply, problem);
  });
  await adminDocument(app, VERSION, context.config);
  sessionRoutes(app, context);
  invitationRoutes(app, context);
  profileRoutes(app, context);
  operatorRoutes(app, context);
  app.addSchema(credentialSchema);
  apiUserRoutes(app, context);
  await bulkRoutes(app, context);
  credentialRoutes(app, context);
  secretLinkRoutes(app, context);
  openSecretLinkRoutes(app, context);
  keySourceRoutes(app, context);
  trustCheckRoutes(app, context);
  signingKeyRoutes(app, context);
  usageRoutes(app, context);
  refusedRequestRoutes(app, context);
  overviewRoute(app, context);
  eventsRoute(app, context, gate);
  auditRoutes(app, context);
}

const READING: ReadonlySet<string> = new Set(['GET', 'HEAD']);

function limitAndGate(app: AdminApp, context: AdminContext, gate: Gate): void {
  const { config } = context;
  const addresses = memoryCounters(config.limiterKeysMax);
  app.addHook('onRoute', (route) => {
    const { needs: who, action } = route.config ?? {};
    if (who === undefined) throw new Error(`${route.url} does not say who may call it.`);
    if ((who === 'write' || who === 'admin') && action === undefined) {
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
