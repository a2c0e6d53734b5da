/** @ts-ignore -- this module is missing in programs without Node's types */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AccessToken, AnyClaims } from './access-token.ts';
import { createCheck } from './answer.ts';
import type { ProtectedResource } from './protected-resource.ts';
import type { Requirements } from './requirements.ts';
import type { Verifier } from './verifier.ts';
import type { VerifierOptions } from './verifier-options.ts';

/** The members of node:http that this adapter uses. */
interface RequestMembers {
  headers: Record<string, string | string[] | undefined>;
  method?: string | undefined;
  url?: string | undefined;
}

interface ResponseMembers {
  statusCode: number;
  setHeader(name: string, value: string): unknown;
  writeHead(status: number, headers: Record<string, string>): { end(body: string): unknown };
  end(body?: string): unknown;
}

/** Without Node's types the import above is `any`. */
type UnlessAny<Type, Otherwise> = 0 extends 1 & Type ? Otherwise : Type;

/** node:http's own types, in programs that have them. */
export type NodeRequest = UnlessAny<IncomingMessage, RequestMembers>;
export type NodeResponse = UnlessAny<ServerResponse, ResponseMembers>;

/** A request listener that receives the caller's token. */
export type CallerListener<Claims = AnyClaims> = (
  request: NodeRequest,
  response: NodeResponse,
  caller: AccessToken<Claims>,
) => unknown;

export type Listener = (request: NodeRequest, response: NodeResponse) => Promise<void>;

/**
 * `protect({ scope }, listener)` for node:http: answers 401, 403 or 503, or calls the listener. The promise
 * rejects with the listener's error: catch it, as for any asynchronous listener.
 */
export function createProtect<Claims = AnyClaims>(
  verifier: Verifier<Claims> | VerifierOptions<Claims>,
): (requirements: Requirements<Claims>, listener: CallerListener<Claims>) => Listener {
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

/** The metadata of RFC 9728, for the route `resource.path`. */
export function metadataHandler(
  resource: ProtectedResource,
): (request: NodeRequest, response: NodeResponse) => void {
  return (_request, response) => void response.writeHead(200, resource.headers).end(resource.body);
}
