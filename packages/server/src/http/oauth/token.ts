import { issueToken, type IssuedToken, type IssuingServices } from '../../oauth/issue-token.ts';
import { NO_STORE, type Answer, type RequestHandler } from '../answer.ts';
import { formEndpoint, type FormEndpointConfig, type FormEndpointServices } from './endpoint.ts';
import { rateLimitHeaders } from '../rate-limit-headers.ts';

export type TokenEndpointServices = FormEndpointServices & IssuingServices;

/** `POST {base}/oauth2/token`: the one route whose cost counts. */
export function tokenEndpoint(services: TokenEndpointServices, config: FormEndpointConfig): RequestHandler {
  return formEndpoint(services, config, {
    statistics: services.routes.token,
    name: 'the token endpoint',
    usage: 'Tokens are asked for with POST, and a form in the body.',
    act: ({ clientId, clientSecret, address, traceId }, form) =>
      issueToken(services, {
        clientId,
        clientSecret,
        address,
        traceId,
        grantType: form.get('grant_type'),
        scope: form.get('scope'),
        resource: form.get('resource'),
      }),
    answer: tokenAnswer,
  });
}

/** `InlineResponse200` of the reference, and `scope` where it is not exactly what was asked for (RFC 6749 §5.1). */
function tokenAnswer({ accessToken, expiresInSeconds, scope, limit }: IssuedToken, nowMs: number): Answer {
  const tail = scope === undefined ? '' : `,"scope":${JSON.stringify(scope)}`;
  return {
    status: 200,
    headers: [...NO_STORE, ...rateLimitHeaders('api-user', limit, nowMs)],
    body: `{"access_token":"${accessToken}","token_type":"Bearer","expires_in":${expiresInSeconds}${tail}}`,
  };
}
