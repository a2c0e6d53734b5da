import type { Config } from '../../config/config.ts';
import type { RevocationPublication } from '../../runtime/revocations/signed-list.ts';
import type { SleepWatch } from '../../runtime/sleep-watch.ts';
import { denialAnswer, errorResponse } from '../error-response.ts';
import { header, headerReferences, type Description } from '../operation.ts';
import { matches } from './jwks.ts';
import { REVOCATIONS_PATH } from '../paths.ts';
import { answerOf, notModified } from './document.ts';
import { publicOperations, publicRoute, type PublicRoute } from './public-route.ts';

export interface RevocationServices extends Pick<SleepWatch, 'catchingUp'> {
  /** Milliseconds since 1970 (UTC). */
  now(): number;
  /** Null while this process cannot sign, or its clock is wrong. */
  revocations(): RevocationPublication | null;
}

/** Verifiers poll every few seconds. A shared cache may serve the answer for this long. */
const MAX_AGE_SECONDS = 1;

/** Serves the revocation list (docs/decisions/012). A 304 answer also carries the current statement. */
export function revocationsRoute(
  { revocations, catchingUp, now }: RevocationServices,
  { basePath }: Pick<Config, 'basePath'>,
): PublicRoute {
  return publicRoute(basePath + REVOCATIONS_PATH, async (request, traceId) => {
    await catchingUp(now());
    const current = revocations();
    if (current === null) {
      const denial = { denied: 'temporarily_unavailable', reason: 'nothing can be signed' } as const;
      return answerOf(denialAnswer(denial, traceId, false, now()));
    }
    const etag = `"${current.list.sha256}"`;
    const headers = [
      'Cache-Control',
      `public, max-age=${MAX_AGE_SECONDS}`,
      'ETag',
      etag,
      'Mintmark-Revocations',
      current.statement,
    ];
    if (matches(request.headers['if-none-match'], etag)) return notModified(headers);
    return { status: 200, headers, type: 'application/vnd.mintmark.revocations', body: current.list.body };
  });
}

export const REVOCATIONS_HEADERS: Description = {
  ETag: header('RFC 9110 section 8.8.3'),
  'Mintmark-Revocations': header('A compact JWS with the members iss, iat, n and sha256.'),
};

const headers = headerReferences(['Mintmark-Revocations', 'ETag', 'X-Request-Id']);

export const REVOCATIONS_OPERATIONS: Description = publicOperations('Revocations', {
  operationId: 'getRevocations',
  summary: 'The tokens that are revoked, by their digests, with a signed statement (docs/decisions/012).',
  security: [],
  responses: {
    '200': { description: 'Success', headers, content: { 'application/vnd.mintmark.revocations': {} } },
    '304': { description: 'Nothing new: the statement says as of when.', headers },
    '503': errorResponse('No signing key is active.', ['Retry-After']),
  },
});
