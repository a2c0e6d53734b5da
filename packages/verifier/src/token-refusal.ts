import type { AccessTokenError, AccessTokenErrorCode, AccessTokenErrorReason } from './errors.ts';
import type { RequestLike } from './bearer.ts';
import { pathOf } from './request-facts.ts';
import type { CheckedRequirements } from './requirements.ts';

/** A request or token that was refused, for logs and metrics. It never holds the token or a part of it. */
export interface TokenRefusal {
  /** Exactly why: one of a fixed set of words, fit for a label of a metric. */
  readonly reason: AccessTokenErrorReason;
  readonly code: AccessTokenErrorCode;
  readonly status: 401 | 403 | 503;
  /** The reason in a sentence. It may name issuer, audience and API user, and is not for callers. */
  readonly message: string;
  /** The API user, where the token was signed by the issuer: with `expired`, `revoked`, `scope`, `check`. */
  readonly clientId: string | undefined;
  /** Of the request; undefined where a token was checked without one. */
  readonly method: string | undefined;
  /** Without the query. */
  readonly path: string | undefined;
  /** What the answer to the caller shows, too. */
  readonly traceId: string | undefined;
  /** The scopes that the route asks for: all of these … */
  readonly scope: readonly string[];
  /** … and one of these. */
  readonly anyScope: readonly string[];
}

/** The longest path and method that are told, in characters. */
const FACT_MAX = 1000;

export function tokenRefusal(
  { reason, code, status, message, clientId, traceId }: AccessTokenError,
  request: RequestLike | undefined,
  requirements: CheckedRequirements | undefined,
): TokenRefusal {
  const method = request?.method?.slice(0, FACT_MAX);
  const path = request && pathOf(request)?.slice(0, FACT_MAX);
  const [scope, anyScope] = [requirements?.allOf ?? [], requirements?.anyOf ?? []];
  return Object.freeze({ reason, code, status, message, clientId, method, path, traceId, scope, anyScope });
}
