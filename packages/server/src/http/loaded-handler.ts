import type { Logger } from 'pino';
import { setImmediate as turn } from 'node:timers/promises';
import { sendAnswer, type RequestHandler } from './answer.ts';
import { serverErrorAnswer } from './error-response.ts';
import { traceIdOf } from './trace.ts';

/**
 * The largest packages behind the handlers. Each is loaded in a turn of its own, so that token requests wait
 * for one of them at most.
 */
const PACKAGES = ['fastify', 'typebox', '@fastify/static', '@fastify/swagger'];

/**
 * A handler that is loaded with its first request. If that fails, it answers with an error, and the next
 * request tries again.
 */
export function loadedHandler(
  load: () => Promise<RequestHandler>,
  log: Pick<Logger, 'error'>,
): RequestHandler {
  let handler: RequestHandler | undefined;
  let loading: Promise<RequestHandler> | undefined;

  async function loadInTurns(): Promise<RequestHandler> {
    for (const name of PACKAGES) {
      await import(name);
      await turn();
    }
    handler = await load();
    return handler;
  }

  return (request, response) => {
    if (handler !== undefined) return handler(request, response);
    loading ??= loadInTurns().finally(() => {
      loading = undefined;
    });
    loading
      .then((loaded) => loaded(request, response))
      .catch((err: unknown) => {
        const traceId = traceIdOf(request.headers['traceparent']);
        log.error({ traceId, err }, 'the admin API, the portal and the console could not be loaded');
        sendAnswer(response, serverErrorAnswer(traceId), traceId);
      });
  };
}
