import cookie from '@fastify/cookie';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Config } from '../../config/config.ts';
import type { Counters } from '../../domain/rate-limit.ts';
import { limitedNetwork } from '../../domain/network.ts';
import { invitesBody } from '../framing.ts';
import { CREDENTIALS_IN_URL, urlHoldsSecret } from '../url-secrets.ts';
import type { AdminApp, SchemaTypes } from './admin-app.ts';
import { invitationRoutes } from './invitation.routes.ts';
import { apiUserRoutes, type ApiUserServices } from './api-user.routes.ts';
import { auditRoutes, type AuditServices } from './audit.routes.ts';
import { bulkRoutes, type BulkServices } from './api-user-bulk.routes.ts';
import { credentialSchema } from './credential.wire.ts';
import { eventsRoute, type EventServices } from './events.routes.ts';
import { credentialRoutes, type CredentialServices } from './credential.routes.ts';
import { createGate, type Gate, type GateServices } from './gate.ts';
import { adminDocument } from './openapi.ts';
import { escapeProblem, jsonTextOf } from './json-text.ts';
import { refuseParameters } from './parameters.ts';
import { operatorRoutes, type OperatorServices } from './operator.routes.ts';
import { overviewRoute, type OverviewServices } from './overview.routes.ts';
import {
  Problem,
  problemOf,
  replyWithProblem,
  SECURITY_HEADERS,
  tooMany,
  type StoreFault,
} from './problem.ts';
import { profileRoutes, type ProfileServices } from './profile.routes.ts';
import { sessionRoutes } from './session.routes.ts';
import { signingKeyRoutes, type SigningKeyServices } from './signing-key.routes.ts';
import { usageRoutes, type UsageServices } from './usage.routes.ts';

/** What the routes need, each file of them a part. */
export interface AdminServices
  extends
    GateServices,
    ApiUserServices,
    AuditServices,
    BulkServices,
    CredentialServices,
    OperatorServices,
    ProfileServices,
    SigningKeyServices,
    UsageServices,
    OverviewServices,
    EventServices {
  /** Calls of the admin API per network address. */
  addresses: Counters;
  storeFault: StoreFault;
  /** Resolves when this process knows of every change that was made before. */
  followChanges(): Promise<void>;
  log: Logger;
  version: string;
}

export interface AdminOptions {
  services: AdminServices;
  config: Config;
}

/**
 * The admin API: what all its routes have in common. Fastify runs the hooks in this order, before a body is read: the limit
 * per address, then the gate.
 */
export async function adminPlugin(plain: FastifyInstance, { services, config }: AdminOptions): Promise<void> {
  const app = plain.withTypeProvider<SchemaTypes>();
  app.decorateRequest('adminActor', null);
  app.decorateRequest('operatorSession', null);
  await app.register(cookie); // before the gate, which reads them
  onlyJson(app);
  const gate = createGate(services);
  limitAndGate(app, services, config, gate);
  app.setErrorHandler((error: Error, request, reply) => {
    const problem = problemOf(error, services.storeFault);
    if (problem.code === 'server_error' || problem.code === 'unavailable') {
      services.log.error({ traceId: request.id, err: error }, 'a route of the admin API failed');
    }
    return replyWithProblem(reply, problem);
  });
  await adminDocument(app, services.version, config);
  sessionRoutes(app, services);
  invitationRoutes(app, services);
  profileRoutes(app, services);
  operatorRoutes(app, services);
  app.addSchema(credentialSchema);
  apiUserRoutes(app, services);
  await bulkRoutes(app, services, config);
  credentialRoutes(app, services);
  signingKeyRoutes(app, services);
  usageRoutes(app, services);
  overviewRoute(app, services);
  eventsRoute(app, services, gate);
  auditRoutes(app, services);
}

const READING: ReadonlySet<string> = new Set(['GET', 'HEAD']);

function limitAndGate(app: AdminApp, services: AdminServices, config: Config, gate: Gate): void {
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
    const network = limitedNetwork(services.addressOf(request.raw));
    const limit = services.addresses.take(network, config.adminAddressLimit, services.now());
    if (!limit.allowed) throw tooMany('Too many calls from this network address: wait.', limit.waitMs);
    if (urlHoldsSecret(request.url))
      throw new Problem('invalid', `${CREDENTIALS_IN_URL} send them in the body, and reset them.`);
    const { needs: usual = 'admin', raises } = request.routeOptions.config;
    const query = request.query as Record<string, unknown>;
    const needs = raises !== undefined && query[raises.parameter] === 'true' ? raises.to : usual;
    if (needs !== 'nothing') request.adminActor = await gate(request, needs);
  });
  // Only when the gate has let the caller in. A body that is declared too long is refused by Fastify before it is read.
  app.addHook('preParsing', (request, reply, payload, next) => {
    const { config: route, bodyLimit } = request.routeOptions;
    const bytesMax = route.streamsBody === true ? Number.POSITIVE_INFINITY : (bodyLimit ?? 0);
    if (!READING.has(request.method)) invitesBody(request.raw, reply.raw, bytesMax);
    next(null, payload);
  });
  // What an answer says was done holds from then on: here at once, in other processes within a second.
  app.addHook('onSend', async (request, reply) => {
    if (!READING.has(request.method) && reply.statusCode < 400) await services.followChanges();
  });
}

/** Bodies are JSON. None at all stands for an object without members, as clients send it where all are optional. */
function onlyJson(app: AdminApp): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    const text = jsonTextOf(request, body as Buffer);
    if (text === '') return done(null, {});
    void parse(request, text, (error, value) => {
      done(error ?? escapeProblem(text, value), value);
    });
  });
  app.addHook('preValidation', (request, _reply, next) => {
    refuseParameters(request);
    if (request.body === undefined && request.routeOptions.schema?.body !== undefined) request.body = {};
    next();
  });
}
