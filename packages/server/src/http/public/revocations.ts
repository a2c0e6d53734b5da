import type { FastifyInstance } from 'fastify';
import type { Config } from '../../config/config.ts';
import type { RevocationPublication } from '../../runtime/revocations/signed-list.ts';
import type { SleepWatch } from '../../runtime/sleep-watch.ts';
import { replyWith } from '../answer.ts';
import { denialAnswer } from '../error-response.ts';
import { matches } from './jwks.ts';
import { REVOCATIONS_PATH } from '../paths.ts';
import { publicRoute } from './public-route.ts';

export interface RevocationServices extends Pick<SleepWatch, 'catchingUp'> {
  /** Null while this process cannot sign, or its clock is wrong. */
  revocations(): RevocationPublication | null;
}

/** Verifiers poll every few seconds. A shared cache may serve the answer for this long. */
const MAX_AGE_SECONDS = 1;

/** Serves the revocation list (docs/decisions/012). A 304 answer also carries the current statement. */
export function revocationsRoute(
  app: FastifyInstance,
  { revocations, catchingUp }: RevocationServices,
  { basePath }: Pick<Config, 'basePath'>,
): void {
  publicRoute(app, basePath + REVOCATIONS_PATH, async (request, reply) => {
    await catchingUp(Date.now());
    const current = revocations();
    if (current === null) {
      const denial = { denied: 'temporarily_unavailable', reason: 'nothing can be signed' } as const;
      return replyWith(reply, denialAnswer(denial, request.id, false, Date.now()));
    }
    const etag = `"${current.list.sha256}"`;
    reply
      .header('Cache-Control', `public, max-age=${MAX_AGE_SECONDS}`)
      .header('ETag', etag)
      .header('Mintmark-Revocations', current.statement);
    if (matches(request.headers['if-none-match'], etag)) return reply.code(304).send();
    return reply.type('application/vnd.mintmark.revocations').send(current.list.body);
  });
}
