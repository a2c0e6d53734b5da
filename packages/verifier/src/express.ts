import type { AccessToken, AnyClaims } from './access-token.ts';
import { createCallers, createCheck, type Checked, type Protect } from './answer.ts';
import type { ProtectedResource } from './protected-resource.ts';
import type { Requirements } from './requirements.ts';
import type { Verifier } from './verifier.ts';
import type { VerifierOptions } from './verifier-options.ts';

/** The members of Express 4 and 5 that this adapter uses. */
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

const callers = createCallers<object, unknown>();

/** `protect({ scope })` for Express: middleware that answers 401, 403 or 503, or calls `next`. */
export function createProtect<Claims = AnyClaims>(
  verifier: Verifier<Claims> | VerifierOptions<Claims>,
): Protect<ExpressRequest, Claims, ExpressHandler> {
  const checkFor = createCheck(verifier);
  const own = createCallers<object, Claims>();
  const protect = (requirements: Requirements<Claims> = {}): ExpressHandler => {
    const check = checkFor(requirements);
    return async (request, response, next) => {
      let checked: Checked<Claims>;
      try {
        checked = await check(request);
      } catch (error) {
        // A bug. Express 4 ignores a handler's promise.
        return next(error);
      }
      const { caller, answer } = checked;
      if (caller !== undefined) {
        own.set(request, caller);
        callers.set(request, caller);
        return next();
      }
      response.statusCode = answer.status;
      for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value);
      response.end(answer.body);
    };
  };
  return Object.assign(protect, { callerOf: own.get });
}

/** The caller's token. Throws if no protect() ran for this request. */
export function callerOf(request: ExpressRequest): AccessToken {
  return callers.get(request) as AccessToken;
}

/** The metadata of RFC 9728: `app.get(resource.path, metadataHandler(resource))`. */
export function metadataHandler(resource: ProtectedResource): ExpressHandler {
  return (_request, response) => {
    for (const [name, value] of Object.entries(resource.headers)) response.setHeader(name, value);
    response.end(resource.body);
  };
}
