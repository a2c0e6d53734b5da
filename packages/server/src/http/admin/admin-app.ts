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

/**
 * The rights that a route requires. `nothing`: it is open to all callers. `session`: to every person who is
 * signed in, and to tokens that may read.
 */
export type Needs = 'read' | 'write' | 'admin' | 'session' | 'nothing';

/** Tells Fastify the TypeScript type of a schema. */
export interface SchemaTypes extends FastifyTypeProvider {
  validator: this['schema'] extends TSchema ? Static<this['schema']> : unknown;
  serializer: this['schema'] extends TSchema ? Static<this['schema']> : unknown;
}

/** The Fastify app for routes of the admin API: their schemas give the types of requests and answers. */
export type AdminApp = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  SchemaTypes
>;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The rights that callers need. Every route of the admin API sets it. */
    needs?: Needs;
    /** The route needs `to` instead if this parameter is `true`. */
    raises?: { parameter: string; to: Needs };
    /**
     * The audit log records it if the caller lacks the rights. Every route that changes something sets it.
     */
    action?: AuditAction;
    /** The handler reads the body as a stream and bounds its parts: the whole body may have any length. */
    streamsBody?: boolean;
  }
  interface FastifyRequest {
    /** The caller; null until the gate accepts the request. */
    adminActor: Actor | null;
  }
}

/** The caller of a route that needs more than `nothing`. */
export function actorOf(request: FastifyRequest): Actor {
  if (request.adminActor === null) throw new Error('The route has no gate before it.');
  return request.adminActor;
}
