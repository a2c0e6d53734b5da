import type { Caller } from '../../domain/caller.ts';
import { isRefusal, type Refusal } from '../../domain/refusal.ts';
import { andThen, type MaybePromise } from '../../lib/maybe-promise.ts';
import { revokeToken, type Revoked, type RevokingServices } from '../../oauth/revoke-token.ts';
import { NO_STORE, type Answer, type RequestHandler } from '../answer.ts';
import type { Form } from '../form.ts';
import { formEndpoint, type FormEndpointConfig, type FormEndpointServices } from './endpoint.ts';

/** `POST {base}/oauth2/revoke` (RFC 7009). */
export function revocationEndpoint(
  services: FormEndpointServices & RevokingServices,
  config: FormEndpointConfig,
): RequestHandler {
  const route = {
    name: 'the revocation endpoint',
    usage: 'Tokens are revoked with POST, and a form in the body.',
    statistics: services.routes.revocation,
  };
  return formEndpoint(services, config, route, answerRevocationRequest);
}

function answerRevocationRequest(
  services: RevokingServices,
  caller: Caller,
  form: Form,
  nowMs: number,
): MaybePromise<Answer | Refusal> {
  return andThen(revokeToken(services, caller, form.get('token'), nowMs), revocationAnswer);
}

function revocationAnswer(outcome: Revoked | Refusal): Answer | Refusal {
  return isRefusal(outcome) ? outcome : { status: 200, headers: NO_STORE, body: '' };
}
