import { sendAnswer, type RequestHandler } from '../answer.ts';
import { errorAnswer } from '../error-response.ts';
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
