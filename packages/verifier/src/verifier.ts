import type { AccessToken, AnyClaims } from './access-token.ts';
import { bearerToken, type RequestLike } from './bearer.ts';
import { AccessTokenError, type AccessTokenErrorDetails } from './errors.ts';
import { traceIdOf } from './request-facts.ts';
import { checkedRequirements, type CheckedRequirements, type Requirements } from './requirements.ts';
import { createTokenCheck } from './token-check.ts';
import { tokenRefusal } from './token-refusal.ts';
import { checkedOptions, type VerifierOptions } from './verifier-options.ts';

export interface Verifier<Claims = AnyClaims> {
  /** Checks a token. Rejects only with an AccessTokenError. */
  verify(token: string): Promise<AccessToken<Claims>>;
  /**
   * Checks the token in a request's Authorization header, and a route's requirements. Rejects with an
   * AccessTokenError; with a TypeError for invalid requirements; with the errors of their `check`.
   */
  verifyRequest(request: RequestLike, requirements?: Requirements<Claims>): Promise<AccessToken<Claims>>;
  /** Fetches keys and revocation list in advance, if missing. Rejects with an AccessTokenError. */
  ready(): Promise<void>;
}

export function createVerifier<Claims = AnyClaims>(input: VerifierOptions<Claims>): Verifier<Claims> {
  const options = checkedOptions(input);
  const { onRefused, resourceMetadataUrl } = options;
  const details: AccessTokenErrorDetails = resourceMetadataUrl === undefined ? {} : { resourceMetadataUrl };
  const tokenCheck = createTokenCheck(options, details);

  async function checkRequest(
    request: RequestLike,
    wanted: CheckedRequirements<Claims>,
  ): Promise<AccessToken<Claims>> {
    const text = bearerToken(request);
    if (text === undefined) {
      const message = 'The request has no Authorization header with the scheme Bearer.';
      throw new AccessTokenError('authorization-token-missing', 'missing', message, details);
    }
    const token = await tokenCheck.verify(text);
    const { clientId } = token;
    const lacking = wanted.lacking(token);
    if (lacking !== undefined) {
      const message = `The access token of ${clientId} lacks ${lacking}.`;
      const scope = wanted.toString();
      throw new AccessTokenError('insufficient_scope', 'scope', message, { ...details, clientId, scope });
    }
    // Programs without types may return anything: only `true` passes.
    const allowed: unknown = wanted.check === undefined || (await wanted.check(token));
    if (allowed !== true) {
      const message = `The access token of ${clientId} does not pass the check of its claims.`;
      throw new AccessTokenError('insufficient_claims', 'check', message, { ...details, clientId });
    }
    return token;
  }

  /** Calls `onRefused` for our own errors. Returns the error to throw. */
  function refused(error: unknown, request?: RequestLike, wanted?: CheckedRequirements<Claims>): unknown {
    if (!(error instanceof AccessTokenError)) return error;
    if (request !== undefined) error.traceId = traceIdOf(request);
    onRefused?.(tokenRefusal(error, request, wanted));
    return error;
  }

  return Object.freeze({
    verify:
      onRefused === undefined
        ? tokenCheck.verify
        : (token: string) =>
            tokenCheck.verify(token).catch((error: unknown) => {
              throw refused(error);
            }),
    async verifyRequest(request: RequestLike, requirements: Requirements<Claims> = {}) {
      const wanted = checkedRequirements(requirements);
      try {
        return await checkRequest(request, wanted);
      } catch (error) {
        throw refused(error, request, wanted);
      }
    },
    ready: tokenCheck.ready,
  });
}
