import { randomBytes } from 'node:crypto';
import type { AccessToken } from './access-token.ts';
import { headerOf, type RequestLike } from './bearer.ts';
import { AccessTokenError } from './errors.ts';
import { requiredScopes } from './scopes.ts';
import { createVerifier, type Requirements, type Verifier } from './verifier.ts';
import type { VerifierOptions } from './verifier-options.ts';

/** What an adapter writes to its framework's response. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** Who calls, or what to answer instead. */
export type Checked = { caller: AccessToken; answer?: never } | { answer: Answer; caller?: never };

/** The check behind each adapter. The scopes are read once, when the route is made: a wrong one stops the start. */
export function createCheck(
  given: Verifier | VerifierOptions,
): (requirements: Requirements) => (request: RequestLike, url: string) => Promise<Checked> {
  const verifier = 'verifyRequest' in given ? given : createVerifier(given);
  return (requirements) => {
    const wanted = {
      scope: requirements.scope === undefined ? undefined : requiredScopes(requirements.scope),
    };
    return async (request, url) => {
      try {
        return { caller: await verifier.verifyRequest(request, wanted) };
      } catch (error) {
        if (!(error instanceof AccessTokenError)) throw error;
        return { answer: answerOf(error, request, url) };
      }
    };
  };
}

function answerOf(error: AccessTokenError, request: RequestLike, url: string): Answer {
  const headers: Record<string, string> = { 'content-type': 'application/json', 'cache-control': 'no-store' };
  if (error.wwwAuthenticate !== undefined) headers['www-authenticate'] = error.wwwAuthenticate;
  if (error.retryAfterSeconds !== undefined) headers['retry-after'] = String(error.retryAfterSeconds);
  const traceId = traceIdOf(headerOf(request, 'traceparent'));
  const body = JSON.stringify(error.toEnvelope({ traceId, instance: pathOf(url) }));
  return { status: error.status, headers, body };
}

/** Without the query, which may hold secrets. `url` is a path (node:http) or absolute (fetch). */
function pathOf(url: string): string {
  const path = url.startsWith('/') ? url : new URL(url, 'http://localhost').pathname;
  return path.split(/[?#]/, 1)[0] ?? '';
}

// W3C Trace Context §3.2.2: version ff is not allowed.
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/;

function traceIdOf(traceparent: string | undefined): string {
  const [, traceId] = TRACEPARENT.exec(traceparent ?? '') ?? [];
  return traceId ?? randomBytes(16).toString('hex');
}

/** Callers by request: nobody else can put one there, and no type of a framework has to be widened. */
export function createCallers<R extends object>(): {
  set(request: R, caller: AccessToken): void;
  get(request: R): AccessToken;
} {
  const callers = new WeakMap<R, AccessToken>();
  return {
    set: (request, caller) => void callers.set(request, caller),
    get(request) {
      const caller = callers.get(request);
      if (caller === undefined) {
        throw new Error(
          'This request was let through by no protect(): put protect() on the route before callerOf().',
        );
      }
      return caller;
    },
  };
}
