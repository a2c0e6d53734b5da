import type { AccessToken, AnyClaims } from './access-token.ts';
import { createCheck } from './answer.ts';
import type { ProtectedResource } from './protected-resource.ts';
import type { Requirements } from './requirements.ts';
import type { Verifier } from './verifier.ts';
import type { VerifierOptions } from './verifier-options.ts';
import type { WebRequest, WebResponse } from './web-types.ts';

/** A handler that receives the caller; `rest` comes from the runtime (an environment, a context). */
export type CallerHandler<Rest extends unknown[], Claims = AnyClaims> = (
  request: WebRequest,
  caller: AccessToken<Claims>,
  ...rest: Rest
) => WebResponse | Promise<WebResponse>;

export type FetchHandler<Rest extends unknown[]> = (
  request: WebRequest,
  ...rest: Rest
) => Promise<WebResponse>;

/** `protect({ scope }, handler)` for fetch handlers: answers 401, 403 or 503, or calls the handler. */
export function createProtect<Claims = AnyClaims>(
  verifier: Verifier<Claims> | VerifierOptions<Claims>,
): <Rest extends unknown[]>(
  requirements: Requirements<Claims>,
  handler: CallerHandler<Rest, Claims>,
) => FetchHandler<Rest> {
  const checkFor = createCheck(verifier);
  return (requirements, handler) => {
    const check = checkFor(requirements);
    return async (request, ...rest) => {
      const { caller, answer } = await check(request);
      if (caller !== undefined) return await handler(request, caller, ...rest);
      return new Response(answer.body, { status: answer.status, headers: answer.headers });
    };
  };
}

/** The metadata of RFC 9728, for the route `resource.path`. */
export function metadataHandler(resource: ProtectedResource): () => WebResponse {
  return () => new Response(resource.body, { headers: resource.headers });
}
