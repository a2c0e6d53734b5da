import type { FastifyRequest } from 'fastify';
import { recordRefusal } from '../../admin/audited.ts';
import { auditedId, type AuditSubject } from '../../domain/audit-entry.ts';
import type { Actor, Role } from '../../domain/actor.ts';
import { ADMIN_SCOPE, READ_SCOPE } from '../../domain/admin-scope.ts';
import { networkSet } from '../../domain/network.ts';
import { memoryCounters } from '../../storage/memory/counters.ts';
import type { Needs } from './admin-app.ts';
import type { AdminContext } from './context.ts';
import { sessionActor } from './operator-session.ts';
import { Problem } from './problem.ts';

/** Returns the caller, or throws a Problem if the caller lacks the rights that the route needs. */
export type Gate = (request: FastifyRequest, needs: Exclude<Needs, 'nothing'>) => Promise<Actor>;

/**
 * Accepts either `Authorization: Bearer` with an access token of this server, or an operator's session. The
 * header wins if a request has both, because browsers never add it automatically.
 */
export function createGate(context: AdminContext): Gate {
  const forbidden = forbiddenAttempts(context);
  return async (request, needs) => {
    if (needs !== 'read' && context.clockIsOff()) throw new Problem('unavailable', CLOCK_OFF);
    const { authorization } = request.headers;
    if (authorization !== undefined) return await bearerActor(context, request, needs, forbidden);
    const actor = await sessionActor(context, request);
    if (actor === null) throw unauthorized('Sign in, or send an access token of this server as Bearer.');
    if (RANK[MAY[actor.role]] >= RANK[needs]) return actor;
    const detail = `This needs the role ${ROLES[needs]}; yours is ${actor.role}: ask an admin for it.`;
    throw await forbidden(request, actor, detail);
  };
}

export const CLOCK_OFF =
  'The clock of this server is wrong, so it makes no changes. Set the clock, or use another server.';

const RANK = { read: 0, write: 1, admin: 2 } as const;
const MAY: Record<Role, keyof typeof RANK> = { viewer: 'read', operator: 'write', admin: 'admin' };
const ROLES = { read: 'viewer', write: 'operator or admin', admin: 'admin' } as const;

async function bearerActor(
  context: AdminContext,
  request: FastifyRequest,
  needs: Exclude<Needs, 'nothing'>,
  forbidden: ForbiddenAttempts,
): Promise<Actor> {
  const { issuer } = context.config;
  const [, token] = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(request.headers.authorization ?? '') ?? [];
  if (token === undefined)
    throw unauthorized('The Authorization header is malformed: it is Bearer and an access token.');
  await context.catchingUp(context.now());
  const claims = context.readToken(token, context.now());
  if (claims === null || claims.audience !== issuer || context.isRevoked(claims)) {
    throw unauthorized(
      `The access token is expired, revoked, or not issued by this server for the audience ${issuer}: request a new one.`,
      'invalid_token',
    );
  }
  const user = await context.store.apiUsers.find(claims.clientId);
  if (user === undefined || !user.enabled) {
    throw unauthorized('The API user of the access token is disabled or deleted.', 'invalid_token');
  }
  const address = context.addressOf(request.raw);
  const actor = { kind: 'api_user', id: user.clientId, name: user.name, address } as const;
  if (user.allowedNetworks.length > 0 && !networkSet(user.allowedNetworks).includes(address)) {
    throw await forbidden(request, actor, 'This API user may not be used from this network address.');
  }
  // Scopes that the token carries and that the API user still has.
  const scopes = new Set(claims.scope.split(' ').filter((scope) => user.scopes.includes(scope)));
  if (scopes.has(ADMIN_SCOPE) || (needs === 'read' && scopes.has(READ_SCOPE))) {
    return actor;
  }
  const scope = needs === 'read' ? READ_SCOPE : ADMIN_SCOPE;
  const detail = `This needs the scope ${scope}: give it to the API user, and get a new token.`;
  throw await forbidden(request, actor, detail, challenge('insufficient_scope', scope));
}

/** Recorded attempts per caller and minute, so that a caller without rights cannot fill the audit log. */
const FORBIDDEN_RECORDED_MAX = 20;
const FORBIDDEN_CALLERS_MAX = 10_000;

/** Records an attempt at a change for which the caller lacks the rights, and returns the problem. */
type ForbiddenAttempts = (
  request: FastifyRequest,
  actor: Actor,
  detail: string,
  headers?: readonly string[],
) => Promise<Problem>;

function forbiddenAttempts({ store, now }: Pick<AdminContext, 'store' | 'now'>): ForbiddenAttempts {
  const recorded = memoryCounters(FORBIDDEN_CALLERS_MAX);
  return async (request, actor, detail, headers = []) => {
    const { action } = request.routeOptions.config;
    const nowMs = now();
    if (
      action !== undefined &&
      recorded.consume(`${actor.kind} ${actor.id}`, FORBIDDEN_RECORDED_MAX, nowMs).allowed
    ) {
      const { client_id: clientId = null, id = null } = request.params as { client_id?: string; id?: string };
      const related = clientId === null ? null : ({ kind: 'api_user', id: auditedId(clientId) } as const);
      const [kind] = action.split('.', 1) as [AuditSubject['kind']];
      const subject = kind === 'api_user' && related !== null ? related : { kind, id: auditedId(id) };
      await recordRefusal({ store, actor, nowMs }, { action, subject, related }, detail);
    }
    return new Problem('forbidden', detail, { headers });
  };
}

function unauthorized(detail: string, error?: 'invalid_token'): Problem {
  return new Problem('not_signed_in', detail, { headers: challenge(error) });
}

/** The `WWW-Authenticate` header (RFC 6750 §3). */
function challenge(error?: string, scope?: string): string[] {
  const parts = ['realm="mintmark"', error && `error="${error}"`, scope && `scope="${scope}"`].filter(
    Boolean,
  );
  return ['WWW-Authenticate', `Bearer ${parts.join(', ')}`];
}
