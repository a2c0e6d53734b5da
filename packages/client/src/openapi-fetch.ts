import type { FetchFunction } from './settings.ts';
import { mustBeSecure } from './plain-http.ts';
import { retryPolicy } from './retry.ts';
import { sendableBody } from './request-body.ts';
import type { WithTokenOptions } from './token-fetch.ts';
import { callWithToken } from './token-fetch.ts';
import type { TokenManager } from './token-manager.ts';

/** The members of openapi-fetch's `Middleware` that this package uses. */
export interface TokenMiddleware {
  onRequest(context: { readonly request: Request; readonly id: string }): Promise<Request>;
  onResponse(context: {
    readonly request: Request;
    readonly response: Response;
    readonly options: { readonly fetch: (request: Request) => Promise<Response> };
    readonly id: string;
  }): Promise<Response>;
  onError(context: { readonly id: string }): void;
}

interface Sent {
  readonly token: string;
  readonly init: RequestInit;
  readonly repeatable: boolean;
}

/**
 * Middleware for openapi-fetch: `client.use(tokenMiddleware(manager))`. Requests carry the token, and
 * responses are handled as by `TokenManager.withToken`. Connection errors are not retried, because
 * openapi-fetch's middleware cannot do that.
 */
export function tokenMiddleware(manager: TokenManager, options: WithTokenOptions = {}): TokenMiddleware {
  const policy = retryPolicy(manager.configuration.retry, options.retry);
  const sent = new Map<string, Sent>();
  return {
    async onRequest({ request, id }) {
      mustBeSecure('url', request.url, manager.configuration.allowInsecure);
      const { init, repeatable } = await sendableBody(request);
      const token = await manager.getToken({ signal: request.signal });
      const headers = new Headers(request.headers);
      headers.set('authorization', `Bearer ${token}`);
      sent.set(id, { token, init, repeatable });
      return new Request(request, { ...init, headers });
    },
    async onResponse({ request, response, options: { fetch }, id }) {
      const first = sent.get(id);
      sent.delete(id);
      if (!first || !first.repeatable) return response;
      const again: FetchFunction = (input, init) => fetch(new Request(input, init));
      return callWithToken(manager, again, policy, request, first.init, { token: first.token, response });
    },
    onError({ id }) {
      sent.delete(id);
    },
  };
}
