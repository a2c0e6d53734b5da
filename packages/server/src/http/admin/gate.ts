import type { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';
import type { AccessTokenClaims } from '../../domain/access-token.ts';
import type { AuditAction } from '../../domain/audit-entry.ts';
import type { Actor, Role } from '../../domain/actor.ts';
import { ADMIN_SCOPE, READ_SCOPE } from '../../domain/admin-scope.ts';
import type { ApiUser } from '../../domain/api-user.ts';
import { networkSet } from '../../domain/network.ts';
import type { AccessTokenReader } from '../../domain/read-access-token.ts';
import { Problem } from './problem.ts';

/** What a route needs of its caller. `nothing`: anybody may call it. */
export type Needs = 'read' | 'write' | 'admin' | 'nothing';

export interface GateServices {
  now(): number;
  issuer: string;
  addressOf(request: IncomingMessage): string;
  readToken: AccessTokenReader;
  isRevoked(token: AccessTokenClaims): boolean;
  /** The clock of this process is wrong (clock-watch.ts), and so would be the times in a change. */
  clockIsOff(): boolean;
  /** Of a process that has slept (sleep-watch.ts), until it knows what it has missed. */
  catchingUp(nowMs: number): Promise<void> | undefined;
  /** As it is in the store at this moment. */
  findApiUser(clientId: string): Promise<ApiUser | undefined>;
  /** The operator whose session the request carries; null where it carries none that is good. */
  sessionActor: SessionActor;
  /** Records an attempt at a change by somebody who may not make it. */
  noteForbidden(by: Actor, attempt: ForbiddenAttempt, reason: string): Promise<void>;
}

export interface ForbiddenAttempt {
  action: AuditAction;
  /** The ids in the path: of the API user, and of whatever else it names. */
  clientId: string | null;
  id: string | null;
}

export type SessionActor = (request: FastifyRequest) => Promise<Extract<Actor, { kind: 'operator' }> | null>;

/** Who may do what a route does: throws a Problem where the caller may not. */
export type Gate = (request: FastifyRequest, needs: Exclude<Needs, 'nothing'>) => Promise<Actor>;

/**
 * Two ways in: `Authorization: Bearer` with an access token of this server, or an operator's session. A request that has
 * both is taken at its header, which no browser adds by itself.
 */
export function createGate(services: GateServices): Gate {
  return async (request, needs) => {
    if (needs !== 'read' && services.clockIsOff()) throw new Problem('unavailable', CLOCK_OFF);
    const { authorization } = request.headers;
    if (authorization !== undefined) return await bearerActor(services, request, authorization, needs);
    const actor = await services.sessionActor(request);
    if (actor === null) throw unauthorized('Sign in, or send an access token of this server as Bearer.');
    if (RANK[MAY[actor.role]] >= RANK[needs]) return actor;
    throw await forbidden(
      services,
      request,
      actor,
      `This needs the role ${ROLES[needs]}; yours is ${actor.role}: ask an admin for it.`,
    );
  };
}

const CLOCK_OFF =
  'The clock of this server is wrong, so it makes no changes. Set the clock, or use another server.';

const RANK = { read: 0, write: 1, admin: 2 } as const;
const MAY: Record<Role, keyof typeof RANK> = { viewer: 'read', operator: 'write', admin: 'admin' };
const ROLES = { read: 'viewer', write: 'operator or admin', admin: 'admin' } as const;

async function bearerActor(
  services: GateServices,
  request: FastifyRequest,
  authorization: string,
  needs: Exclude<Needs, 'nothing'>,
): Promise<Actor> {
  const [, token] = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization) ?? [];
  if (token === undefined)
    throw unauthorized('The Authorization header is malformed: it is Bearer and an access token.');
  await services.catchingUp(services.now());
  const claims = services.readToken(token, services.now());
  if (claims === null || claims.audience !== services.issuer || services.isRevoked(claims)) {
    throw unauthorized(
      `The access token is expired, revoked, or none of this server with the audience ${services.issuer}: get another.`,
      'invalid_token',
    );
  }
  const user = await services.findApiUser(claims.clientId);
  if (user === undefined || !user.enabled) {
    throw unauthorized('The API user of the access token is disabled or deleted.', 'invalid_token');
  }
  const address = services.addressOf(request.raw);
  const actor = { kind: 'api_user', id: user.clientId, name: user.name, address } as const;
  if (user.allowedNetworks.length > 0 && !networkSet(user.allowedNetworks).includes(address)) {
    throw await forbidden(
      services,
      request,
      actor,
      'This API user may not be used from this network address.',
    );
  }
  // What the token was given, and only as long as the API user still has it.
  const scopes = new Set(claims.scope.split(' ').filter((scope) => user.scopes.includes(scope)));
  if (scopes.has(ADMIN_SCOPE) || (needs === 'read' && scopes.has(READ_SCOPE))) {
    return actor;
  }
  const scope = needs === 'read' ? READ_SCOPE : ADMIN_SCOPE;
  const detail = `This needs the scope ${scope}: give it to the API user, and get a new token.`;
  throw await forbidden(services, request, actor, detail, challenge('insufficient_scope', scope));
}

async function forbidden(
  services: GateServices,
  request: FastifyRequest,
  by: Actor,
  detail: string,
  headers: string[] = [],
): Promise<Problem> {
  const { action } = request.routeOptions.config;
  if (action !== undefined) {
    const { client_id: clientId = null, id = null } = request.params as { client_id?: string; id?: string };
    await services.noteForbidden(by, { action, clientId, id }, detail);
  }
  return new Problem('forbidden', detail, { headers });
}

function unauthorized(detail: string, error?: 'invalid_token'): Problem {
  return new Problem('not_signed_in', detail, { headers: challenge(error) });
}

/** RFC 6750 §3. */
function challenge(error?: string, scope?: string): string[] {
  const parts = ['realm="mintmark"', error && `error="${error}"`, scope && `scope="${scope}"`].filter(
    Boolean,
  );
  return ['WWW-Authenticate', `Bearer ${parts.join(', ')}`];
}
