import type { AccessToken } from './access-token.ts';
import { createCheck } from './answer.ts';
import type { ProtectedResource } from './protected-resource.ts';
import type { Requirements } from './requirements.ts';
import type { Verifier } from './verifier.ts';
import type { VerifierOptions } from './verifier-options.ts';

/** The parts of node:http's types that are used here: a program needs no types of Node to check against them. */
export interface NodeRequest {
  headers: Record<string, string | string[] | undefined>;
  method?: string | undefined;
  url?: string | undefined;
}

export interface NodeResponse {
  statusCode: number;
  setHeader(name: string, value: string): unknown;
  writeHead(status: number, headers: Record<string, string>): { end(body: string): unknown };
  end(body?: string): unknown;
}

/** A request listener that gets the token. Its parameters are those of your server: name their types, or let createServer. */
export type CallerListener<Q extends NodeRequest = NodeRequest, R extends NodeResponse = NodeResponse> = (
  request: Q,
  response: R,
  caller: AccessToken,
) => unknown;

export type Listener<Q extends NodeRequest = NodeRequest, R extends NodeResponse = NodeResponse> = (
  request: Q,
  response: R,
) => Promise<void>;

/**
 * `protect({ scope }, listener)` for node:http: answers 401, 403 or 503, or calls the listener. What the listener throws,
 * the promise rejects with: catch it where you call it, as with any asynchronous listener.
 */
export function createProtect(
  verifier: Verifier | VerifierOptions,
): <Q extends NodeRequest, R extends NodeResponse>(
  requirements: Requirements,
  listener: CallerListener<Q, R>,
) => Listener<Q, R> {
  const checkFor = createCheck(verifier);
  return (requirements, listener) => {
    const check = checkFor(requirements);
    return async (request, response) => {
      const { caller, answer } = await check(request);
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
): (request: NodeRequest, response: NodeResponse) => void {
  return (_request, response) => void response.writeHead(200, resource.headers).end(resource.body);
}
