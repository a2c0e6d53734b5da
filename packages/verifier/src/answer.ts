import type { AccessToken, AnyClaims } from './access-token.ts';
import type { RequestLike } from './bearer.ts';
import { AccessTokenError } from './errors.ts';
import { pathOf, traceIdOf } from './request-facts.ts';
import { checkedRequirements, type Requirements } from './requirements.ts';
import { createVerifier, type Verifier } from './verifier.ts';
import type { VerifierOptions } from './verifier-options.ts';

/** The response that an adapter writes. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** The caller, or the response that refuses the request. */
export type Checked<Claims> =
  | { caller: AccessToken<Claims>; answer?: never }
  | { answer: Answer; caller?: never };

/** The check behind each adapter. Throws at once for wrong requirements, which stops the start. */
export function createCheck<Claims>(
  input: Verifier<Claims> | VerifierOptions<Claims>,
): (requirements: Requirements<Claims>) => (request: RequestLike) => Promise<Checked<Claims>> {
  const verifier = 'verifyRequest' in input ? input : createVerifier(input);
  return (requirements) => {
    const wanted = checkedRequirements(requirements);
    return async (request) => {
      try {
        return { caller: await verifier.verifyRequest(request, wanted) };
      } catch (error) {
        if (!(error instanceof AccessTokenError)) throw error;
        return { answer: answerOf(error, request) };
      }
    };
  };
}

function answerOf(error: AccessTokenError, request: RequestLike): Answer {
  const headers: Record<string, string> = { 'content-type': 'application/json', 'cache-control': 'no-store' };
  if (error.wwwAuthenticate !== undefined) headers['www-authenticate'] = error.wwwAuthenticate;
  if (error.retryAfterSeconds !== undefined) headers['retry-after'] = String(error.retryAfterSeconds);
  const traceId = error.traceId ?? traceIdOf(request);
  const body = JSON.stringify(error.toEnvelope({ traceId, instance: pathOf(request) ?? '/' }));
  return { status: error.status, headers, body };
}

export interface Callers<R extends object, Claims> {
  set(request: R, caller: AccessToken<Claims>): void;
  /** Throws if no protect() ran for this request. */
  get(request: R): AccessToken<Claims>;
}

/** What `createProtect` of an adapter returns. */
export interface Protect<R extends object, Claims, Handler> {
  (requirements?: Requirements<Claims>): Handler;
  /**
   * The caller's token, with the claims of this verifier. Throws if no such protect() ran for this request.
   */
  callerOf(request: R): AccessToken<Claims>;
}

/** Callers by request. Other code cannot add one, and no framework's type needs an extra member. */
export function createCallers<R extends object, Claims = AnyClaims>(): Callers<R, Claims> {
  const callers = new WeakMap<R, AccessToken<Claims>>();
  return {
    set: (request, caller) => void callers.set(request, caller),
    get(request) {
      const caller = callers.get(request);
      if (caller === undefined) {
        throw new Error('No protect() ran for this request: put protect() on the route before callerOf().');
      }
      return caller;
    },
  };
}
