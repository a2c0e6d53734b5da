import type { FastifyRequest } from 'fastify';
import { recordRefusal } from '../../admin/audited.ts';
import { auditedId, type AuditSubject } from '../../domain/audit-entry.ts';
import type { AccountRole, Actor } from '../../domain/actor.ts';
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
    refuseWrongClock(context, needs);
    const { authorization } = request.headers;
    if (authorization !== undefined) return await bearerActor(context, request, needs, forbidden);
    const actor = await sessionActor(context, request);
    if (actor === null) throw unauthorized('Sign in, or send an access token of this server as Bearer.');
    if (RANK[MAY[actor.role]] >= RANK[needs]) return actor;
    if (actor.role === 'none') throw await forbidden(request, actor, FOR_OPERATORS);
    const detail = `This needs the role ${ROLES[needs]}; yours is ${actor.role}: ask an admin for it.`;
    throw await forbidden(request, actor, detail);
  };
}

/** Throws a Problem for a change while the clock of this process is wrong. */
export function refuseWrongClock({ clockIsOff }: Pick<AdminContext, 'clockIsOff'>, needs: Needs): void {
  if (CHANGING.has(needs) && clockIsOff()) throw new Problem('unavailable', CLOCK_OFF);
}

const CHANGING: ReadonlySet<Needs> = new Set(['write', 'admin']);
const FOR_OPERATORS =
  'This is for operators of the platform. Members of an organisation use the portal: see /portal/v1/openapi.json.';
const CLOCK_OFF =
  'The clock of this server is wrong, so it makes no changes. Set the clock, or use another server.';

const RANK = { session: 0, read: 1, write: 2, admin: 3 } as const;
const MAY: Record<AccountRole, keyof typeof RANK> = {
  none: 'session',
  viewer: 'read',
  operator: 'write',
  admin: 'admin',
};
const ROLES = { session: 'viewer', read: 'viewer', write: 'operator or admin', admin: 'admin' } as const;

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
  if (user === undefined || !user.enabled || user.organisationId !== null) {
    throw unauthorized(
      'The API user of the access token is disabled or deleted, or belongs to an organisation.',
      'invalid_token',
    );
  }
  const address = context.addressOf(request.raw);
  const actor = { kind: 'api_user', id: user.clientId, name: user.name, address } as const;
  if (user.allowedNetworks.length > 0 && !networkSet(user.allowedNetworks).includes(address)) {
    throw await forbidden(request, actor, 'This API user may not be used from this network address.');
  }
  // Scopes that the token carries and that the API user still has.
  const scopes = new Set(claims.scope.split(' ').filter((scope) => user.scopes.includes(scope)));
  const reads = RANK[needs] <= RANK.read;
  if (scopes.has(ADMIN_SCOPE) || (reads && scopes.has(READ_SCOPE))) return actor;
  const scope = reads ? READ_SCOPE : ADMIN_SCOPE;
  const detail = `This needs the scope ${scope}: give it to the API user, and get a new token.`;
  throw await forbidden(request, actor, detail, challenge('insufficient_scope', scope));
}

/** Recorded attempts per caller and minute, so that a caller without rights cannot fill the audit log. */
const FORBIDDEN_RECORDED_MAX = 20;
const FORBIDDEN_CALLERS_MAX = 10_000;

/** Records an attempt at a change for which the caller lacks the rights, and returns the problem. */
export type ForbiddenAttempts = (
  request: FastifyRequest,
  actor: Actor,
  detail: string,
  headers?: readonly string[],
) => Promise<Problem>;

export function forbiddenAttempts({ store, now }: Pick<AdminContext, 'store' | 'now'>): ForbiddenAttempts {
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

export function unauthorized(detail: string, error?: 'invalid_token'): Problem {
  return new Problem('not_signed_in', detail, { headers: challenge(error) });
}

/** The `WWW-Authenticate` header (RFC 6750 §3). */
function challenge(error?: string, scope?: string): string[] {
  const parts = ['realm="mintmark"', error && `error="${error}"`, scope && `scope="${scope}"`].filter(
    Boolean,
  );
  return ['WWW-Authenticate', `Bearer ${parts.join(', ')}`];
}
