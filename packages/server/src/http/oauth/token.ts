import type { Caller } from '../../domain/caller.ts';
import { isRefusal, type Refusal } from '../../domain/refusal.ts';
import { andThen, type MaybePromise } from '../../lib/maybe-promise.ts';
import { issueToken, type IssuedToken, type IssuingServices } from '../../oauth/issue-token.ts';
import { NO_STORE, type Answer, type RequestHandler } from '../answer.ts';
import type { Form } from '../form.ts';
import { rateLimitHeaders } from '../rate-limit-headers.ts';
import { formEndpoint, type FormEndpointConfig, type FormEndpointServices } from './endpoint.ts';

export type TokenEndpointServices = FormEndpointServices & IssuingServices;

/** `POST {base}/oauth2/token`: the only route whose cost matters. */
export function tokenEndpoint(services: TokenEndpointServices, config: FormEndpointConfig): RequestHandler {
  const route = {
    name: 'the token endpoint',
    usage: 'Tokens are asked for with POST, and a form in the body.',
    statistics: services.routes.token,
  };
  return formEndpoint(services, config, route, answerTokenRequest);
}

function answerTokenRequest(
  services: IssuingServices,
  caller: Caller,
  form: Form,
  nowMs: number,
): MaybePromise<Answer | Refusal> {
  const request = {
    grantType: form.get('grant_type'),
    scope: form.get('scope'),
    resource: form.get('resource'),
  };
  return andThen(issueToken(services, caller, request, nowMs), tokenAnswer);
}

/** `InlineResponse200` of the reference, plus `scope` if it differs from the request (RFC 6749 §5.1). */
function tokenAnswer(outcome: IssuedToken | Refusal): Answer | Refusal {
  if (isRefusal(outcome)) return outcome;
  const { accessToken, expiresInSeconds, scope, limit, issuedAtMs } = outcome;
  const tail = scope === undefined ? '' : `,"scope":${JSON.stringify(scope)}`;
  return {
    status: 200,
    headers: [...NO_STORE, ...rateLimitHeaders('api-user', limit, issuedAtMs)],
    body: `{"access_token":"${accessToken}","token_type":"Bearer","expires_in":${expiresInSeconds}${tail}}`,
  };
}
