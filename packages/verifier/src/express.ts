import type { AccessToken } from './access-token.ts';
import { createCallers, createCheck, type Checked } from './answer.ts';
import type { ProtectedResource } from './protected-resource.ts';
import type { Requirements } from './requirements.ts';
import type { Verifier } from './verifier.ts';
import type { VerifierOptions } from './verifier-options.ts';

/** The parts of Express's types that are used here: Express 4 and 5 fit. */
export interface ExpressRequest {
  headers: Record<string, string | string[] | undefined>;
  originalUrl: string;
}

export interface ExpressResponse {
  statusCode: number;
  setHeader(name: string, value: string): unknown;
  end(body: string): unknown;
}

export type ExpressHandler = (
  request: ExpressRequest,
  response: ExpressResponse,
  next: (error?: unknown) => void,
) => void | Promise<void>;

const callers = createCallers<object>();

/** `protect({ scope })` for Express: a middleware that answers 401, 403 or 503, or goes on. */
export function createProtect(
  verifier: Verifier | VerifierOptions,
): (requirements?: Requirements) => ExpressHandler {
  const checkFor = createCheck(verifier);
  return (requirements = {}) => {
    const check = checkFor(requirements);
    return async (request, response, next) => {
      let checked: Checked;
      try {
        checked = await check(request);
      } catch (error) {
        // A bug. Express 4 does not look at the promise of a handler.
        return next(error);
      }
      const { caller, answer } = checked;
      if (caller !== undefined) {
        callers.set(request, caller);
        return next();
      }
      response.statusCode = answer.status;
      for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value);
      response.end(answer.body);
    };
  };
}

/** The token that the request was let through with. Throws where no protect() has. */
export function callerOf(request: ExpressRequest): AccessToken {
  return callers.get(request);
}

/** The metadata of RFC 9728: `app.get(resource.path, metadataHandler(resource))`. */
export function metadataHandler(resource: ProtectedResource): ExpressHandler {
  return (_request, response) => {
    for (const [name, value] of Object.entries(resource.headers)) response.setHeader(name, value);
    response.end(resource.body);
  };
}
