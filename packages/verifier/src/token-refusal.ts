import type { AccessTokenError, AccessTokenErrorCode, AccessTokenErrorReason } from './errors.ts';
import type { RequestLike } from './bearer.ts';
import { pathOf } from './request-facts.ts';
import type { CheckedRequirements } from './requirements.ts';

/** A refused request or token, for logs and metrics. Never holds the token or part of it. */
export interface TokenRefusal {
  /** One of a fixed set of words, fit for a metric's label. */
  readonly reason: AccessTokenErrorReason;
  readonly code: AccessTokenErrorCode;
  readonly status: 401 | 403 | 503;
  /** The reason as a sentence, not for callers: it may name issuer, audience and API user. */
  readonly message: string;
  /** The API user, if the issuer signed the token: with `expired`, `revoked`, `scope`, `check`. */
  readonly clientId: string | undefined;
  /** The request's method; undefined if a token was checked without a request. */
  readonly method: string | undefined;
  /** The request's path without its query. */
  readonly path: string | undefined;
  /** The trace id in the response. */
  readonly traceId: string | undefined;
  /** The route requires all of these scopes. */
  readonly scope: readonly string[];
  /** The route requires one of these scopes. */
  readonly anyScope: readonly string[];
}

/** The longest path and method, in characters. */
const FACT_MAX = 1000;

export function tokenRefusal(
  { reason, code, status, message, clientId, traceId }: AccessTokenError,
  request: RequestLike | undefined,
  requirements: Pick<CheckedRequirements, 'allOf' | 'anyOf'> | undefined,
): TokenRefusal {
  const method = request?.method?.slice(0, FACT_MAX);
  const path = request && pathOf(request)?.slice(0, FACT_MAX);
  const [scope, anyScope] = [requirements?.allOf ?? [], requirements?.anyOf ?? []];
  return Object.freeze({ reason, code, status, message, clientId, method, path, traceId, scope, anyScope });
}
