import type { AccessToken, AnyClaims } from './access-token.ts';
import { createCallers, createCheck, type Protect } from './answer.ts';
import type { ProtectedResource } from './protected-resource.ts';
import type { Requirements } from './requirements.ts';
import type { Verifier } from './verifier.ts';
import type { VerifierOptions } from './verifier-options.ts';
import type { WebRequest, WebResponse } from './web-types.ts';

/** The members of Hono that this adapter uses. */
export interface HonoContextLike {
  req: { raw: WebRequest };
}

export type HonoMiddleware = (
  context: HonoContextLike,
  next: () => Promise<void>,
) => Promise<WebResponse | undefined>;

const callers = createCallers<object, unknown>();

/** `protect({ scope })` for Hono: middleware that answers 401, 403 or 503, or calls `next`. */
export function createProtect<Claims = AnyClaims>(
  verifier: Verifier<Claims> | VerifierOptions<Claims>,
): Protect<HonoContextLike, Claims, HonoMiddleware> {
  const checkFor = createCheck(verifier);
  const own = createCallers<object, Claims>();
  const protect = (requirements: Requirements<Claims> = {}): HonoMiddleware => {
    const check = checkFor(requirements);
    return async (context, next) => {
      const request = context.req.raw;
      const { caller, answer } = await check(request);
      if (caller === undefined) {
        return new Response(answer.body, { status: answer.status, headers: answer.headers });
      }
      own.set(context, caller);
      callers.set(context, caller);
      await next();
      return undefined;
    };
  };
  return Object.assign(protect, { callerOf: own.get });
}

/** The caller's token. Throws if no protect() ran for this request. */
export function callerOf(context: HonoContextLike): AccessToken {
  return callers.get(context) as AccessToken;
}

/** The metadata of RFC 9728: `app.get(resource.path, metadataHandler(resource))`. */
export function metadataHandler(resource: ProtectedResource): () => WebResponse {
  return () => new Response(resource.body, { headers: resource.headers });
}
