import type { IncomingMessage } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Operator } from '../../domain/operator.ts';
import type { Session } from '../../domain/session.ts';
import { refuseCrossSite } from './cross-site.ts';
import type { SessionActor } from './gate.ts';
import { SESSION_COOKIE } from './openapi.ts';
import { Problem } from './problem.ts';

/** The session that a request carries. */
export interface RequestSession {
  session: Session;
  operator: Operator;
  /** When it ends unless there is another request. */
  endsAt: number;
}

declare module 'fastify' {
  interface FastifyRequest {
    operatorSession: RequestSession | null;
  }
}

const BROWSER_COOKIE = '__Host-mintmark_browser';

/** `__Host-`: no other host, and no page that came unencrypted, can set them. Strict: no other site's link sends them. */
const COOKIE = { path: '/', httpOnly: true, secure: true, sameSite: 'strict' } as const;

/** The session half of the gate. */
export function sessionActorOf(
  find: (token: string, isNewRequest: boolean) => Promise<RequestSession | null>,
  addressOf: (request: IncomingMessage) => string,
  issuer: string,
): SessionActor {
  return async (request) => {
    const token = request.cookies[SESSION_COOKIE];
    if (token === undefined) return null;
    if (request.method !== 'GET' && request.method !== 'HEAD') refuseCrossSite(request, issuer);
    const found = await find(token, request.adminActor === null);
    if (found === null) return null;
    request.operatorSession = found;
    const { id, email, role } = found.operator;
    return { kind: 'operator', id, name: email, address: addressOf(request.raw), role };
  };
}

/** For routes that an operator alone can use. */
export function operatorSessionOf(request: FastifyRequest): RequestSession {
  if (request.operatorSession !== null) return request.operatorSession;
  throw new Problem('forbidden', 'An access token has neither session nor profile: sign in as an operator.');
}

/** What the browser holds of before. */
export function cookiesOf(request: FastifyRequest): { sessionToken: string | null; browser: string | null } {
  const { [SESSION_COOKIE]: session, [BROWSER_COOKIE]: browser } = request.cookies;
  return { sessionToken: session ?? null, browser: browser ?? null };
}

/** The session's cookie goes with the browser window; the other one, which signs nobody in, stays for `browserSeconds`. */
export function setCookies(
  reply: FastifyReply,
  { token, browser }: { token: string; browser: string },
  browserSeconds: number,
): void {
  setSessionCookie(reply, token);
  reply.setCookie(BROWSER_COOKIE, browser, { ...COOKIE, maxAge: browserSeconds });
}

/** The token of a session that was renewed. */
export function setSessionCookie(reply: FastifyReply, token: string): void {
  reply.setCookie(SESSION_COOKIE, token, COOKIE);
}

export function clearSessionCookie(reply: FastifyReply): void {
  reply.clearCookie(SESSION_COOKIE, COOKIE);
}
