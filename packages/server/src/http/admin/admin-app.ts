import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyRequest,
  FastifyTypeProvider,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { Static, TSchema } from 'typebox';
import type { Actor } from '../../domain/actor.ts';
import type { AuditAction } from '../../domain/audit-entry.ts';

/** What a route needs of its caller. `nothing`: anybody may call it. */
export type Needs = 'read' | 'write' | 'admin' | 'nothing';

/** What Fastify knows of a schema: the type that it stands for. */
export interface SchemaTypes extends FastifyTypeProvider {
  validator: this['schema'] extends TSchema ? Static<this['schema']> : unknown;
  serializer: this['schema'] extends TSchema ? Static<this['schema']> : unknown;
}

/** The app as routes of the admin API see it: what they declare as schemas is the type of what they get and give. */
export type AdminApp = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  SchemaTypes
>;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may call the route: every route of the admin API says it. */
    needs?: Needs;
    /** Needs more where this parameter is `true`. */
    raises?: { parameter: string; to: Needs };
    /** What the audit log says was tried by a caller who may not: every route that changes something says it. */
    action?: AuditAction;
    /** Its handler reads the body as it arrives, and has bounds of its own: the whole body may be of any length. */
    streamsBody?: boolean;
  }
  interface FastifyRequest {
    /** Who calls, once the gate let the request in. */
    adminActor: Actor | null;
  }
}

/** Who calls: for routes that need more than `nothing`. */
export function actorOf(request: FastifyRequest): Actor {
  if (request.adminActor === null) throw new Error('The route has no gate before it.');
  return request.adminActor;
}
