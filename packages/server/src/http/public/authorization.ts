import { sendAnswer, type RequestHandler } from '../answer.ts';
import { errorAnswer, errorResponse } from '../error-response.ts';
import type { Description } from '../operation.ts';
import { TOKEN_PATH } from '../paths.ts';
import { traceIdOf } from '../trace.ts';

/**
 * The authorization endpoint supports no response type. Every request gets the same error, whatever its
 * method and parameters. The error is not a redirect, because no client has a redirect URI here (RFC 6749
 * §4.1.2.1).
 */
export function authorizationEndpoint(basePath: string): RequestHandler {
  const description =
    'This server has no sign-in for people: the only grant type is client_credentials. Send a POST to ' +
    `${basePath}${TOKEN_PATH}.`;
  return (request, response) => {
    const traceId = traceIdOf(request.headers['traceparent']);
    sendAnswer(response, errorAnswer(400, 'unsupported_response_type', description, traceId), traceId);
  };
}

export const AUTHORIZE_OPERATIONS: Description = {
  get: authorizeOperation('get'),
  post: authorizeOperation('post'),
};

function authorizeOperation(method: string): Description {
  return {
    operationId: `${method}Authorization`,
    summary:
      'Supports no response type: every request, with any method, gets the error (RFC 6749 section 4.1.2.1).',
    security: [],
    responses: { '400': errorResponse('unsupported_response_type') },
  };
}
