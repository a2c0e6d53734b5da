import type { AccessToken, AnyClaims } from './access-token.ts';
import { createCallers, createCheck, type Protect } from './answer.ts';
import type { ProtectedResource } from './protected-resource.ts';
import type { Requirements } from './requirements.ts';
import type { Verifier } from './verifier.ts';
import type { VerifierOptions } from './verifier-options.ts';

/** The members of Fastify that this adapter uses. */
export interface FastifyRequestLike {
  headers: Record<string, string | string[] | undefined>;
  originalUrl: string;
}

export interface FastifyReplyLike {
  code(status: number): unknown;
  headers(headers: Record<string, string>): unknown;
  send(body: string): unknown;
}

export type FastifyHandler = (request: FastifyRequestLike, reply: FastifyReplyLike) => Promise<unknown>;

const callers = createCallers<object, unknown>();

/** `protect({ scope })` for Fastify: an `onRequest` hook that answers 401, 403 or 503, or passes. */
export function createProtect<Claims = AnyClaims>(
  verifier: Verifier<Claims> | VerifierOptions<Claims>,
): Protect<FastifyRequestLike, Claims, FastifyHandler> {
  const checkFor = createCheck(verifier);
  const own = createCallers<object, Claims>();
  const protect = (requirements: Requirements<Claims> = {}): FastifyHandler => {
    const check = checkFor(requirements);
    return async (request, reply) => {
      const { caller, answer } = await check(request);
      if (caller !== undefined) {
        own.set(request, caller);
        return callers.set(request, caller);
      }
      reply.code(answer.status);
      reply.headers(answer.headers);
      // Fastify stops after a hook that returns the reply.
      return reply.send(answer.body);
    };
  };
  return Object.assign(protect, { callerOf: own.get });
}

/** The caller's token. Throws if no protect() ran for this request. */
export function callerOf(request: FastifyRequestLike): AccessToken {
  return callers.get(request) as AccessToken;
}

/** The metadata of RFC 9728: `app.get(resource.path, metadataHandler(resource))`. */
export function metadataHandler(resource: ProtectedResource): FastifyHandler {
  return async (_request, reply) => {
    reply.headers(resource.headers);
    return reply.send(resource.body);
  };
}
