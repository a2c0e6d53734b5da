import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AccessToken } from './access-token.ts';
import { createCheck } from './answer.ts';
import type { ProtectedResource } from './protected-resource.ts';
import type { Requirements, Verifier } from './verifier.ts';
import type { VerifierOptions } from './verifier-options.ts';

/** A request listener that is told who calls. */
export type CallerListener = (
  request: IncomingMessage,
  response: ServerResponse,
  caller: AccessToken,
) => unknown;

export type Listener = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/**
 * `protect({ scope }, listener)` for node:http: answers 401, 403 or 503, or calls the listener. What the listener throws,
 * the promise rejects with: catch it where you call it, as with any asynchronous listener.
 */
export function createProtect(
  verifier: Verifier | VerifierOptions,
): (requirements: Requirements, listener: CallerListener) => Listener {
  const checkFor = createCheck(verifier);
  return (requirements, listener) => {
    const check = checkFor(requirements);
    return async (request, response) => {
      const { caller, answer } = await check(request, request.url ?? '/');
      if (caller !== undefined) {
        await listener(request, response, caller);
        return;
      }
      response.writeHead(answer.status, answer.headers).end(answer.body);
    };
  };
}

/** The metadata of RFC 9728, to be served at `resource.path`. */
export function metadataHandler(
  resource: ProtectedResource,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (_request, response) => void response.writeHead(200, resource.headers).end(resource.body);
}
