import type { FastifyReply, FastifyRequest } from 'fastify';
import type { CurrentSession } from '../../admin/operators/sessions.ts';
import {
  operatorActor,
  type OperatorActor,
  type OperatorChange,
} from '../../admin/operators/start-session.ts';
import type { AdminContext } from './context.ts';
import { refuseCrossSite } from './cross-site.ts';
import { SESSION_COOKIE } from './openapi.ts';
import { Problem } from './problem.ts';

declare module 'fastify' {
  interface FastifyRequest {
    operatorSession: CurrentSession | null;
  }
}

const BROWSER_COOKIE = '__Host-mintmark_browser';

/** `__Host-`: other hosts and unencrypted pages cannot set them. Strict: links from other sites omit them. */
const COOKIE = { path: '/', httpOnly: true, secure: true, sameSite: 'strict' } as const;

/** The session half of the gate. Returns the operator of the session, or null without a valid session. */
export async function sessionActor(
  { findSession, addressOf, config }: Pick<AdminContext, 'findSession' | 'addressOf' | 'config'>,
  request: FastifyRequest,
): Promise<OperatorActor | null> {
  const token = request.cookies[SESSION_COOKIE];
  if (token === undefined) return null;
  if (request.method !== 'GET' && request.method !== 'HEAD') refuseCrossSite(request, config.issuer);
  const session = await findSession(token, request.adminActor === null);
  if (session === null) return null;
  request.operatorSession = session;
  return operatorActor(session.operator, addressOf(request.raw));
}

/** The first argument of a change by the operator who is signed in. */
export function operatorChangeOf(
  request: FastifyRequest,
  { store, addressOf, now }: Pick<AdminContext, 'store' | 'addressOf' | 'now'>,
): OperatorChange {
  const { operator } = operatorSessionOf(request);
  return { store, actor: operatorActor(operator, addressOf(request.raw)), nowMs: now() };
}

/** The session of the caller, for routes that only operators can use. */
export function operatorSessionOf(request: FastifyRequest): CurrentSession {
  if (request.operatorSession !== null) return request.operatorSession;
  throw new Problem('forbidden', 'An access token has neither session nor profile: sign in as an operator.');
}

/** The session and the known browser that the cookies carry. */
export function cookiesOf(request: FastifyRequest): { sessionToken: string | null; browser: string | null } {
  const { [SESSION_COOKIE]: session, [BROWSER_COOKIE]: browser } = request.cookies;
  return { sessionToken: session ?? null, browser: browser ?? null };
}

/**
 * The session cookie ends with the browser session. The cookie of the known browser lasts `browserSeconds`;
 * it signs no operator in.
 */
export function setCookies(
  reply: FastifyReply,
  { token, browser }: { token: string; browser: string },
  browserSeconds: number,
): void {
  setSessionCookie(reply, token);
  reply.setCookie(BROWSER_COOKIE, browser, { ...COOKIE, maxAge: browserSeconds });
}

/** Sets the cookie to the new token of a renewed session. */
export function setSessionCookie(reply: FastifyReply, token: string): void {
  reply.setCookie(SESSION_COOKIE, token, COOKIE);
}

export function clearSessionCookie(reply: FastifyReply): void {
  reply.clearCookie(SESSION_COOKIE, COOKIE);
}
