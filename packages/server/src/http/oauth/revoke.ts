import { isRefusal, type Refusal } from '../../domain/refusal.ts';
import { andThen } from '../../lib/maybe-promise.ts';
import { revokeToken, type Revoked, type RevokingServices } from '../../oauth/revoke-token.ts';
import { NO_STORE, type Answer, type RequestHandler } from '../answer.ts';
import { errorResponse } from '../error-response.ts';
import { headerReferences, type Description } from '../operation.ts';
import type { FormEndpointServices } from './answering.ts';
import { formEndpoint, formOperation, type FormEndpointConfig } from './endpoint.ts';

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
  return formEndpoint(services, config, route, (own, caller, form, nowMs) =>
    andThen(revokeToken(own, caller, form.get('token'), nowMs), revocationAnswer),
  );
}

function revocationAnswer(outcome: Revoked | Refusal): Answer | Refusal {
  return isRefusal(outcome) ? outcome : { status: 200, headers: NO_STORE, body: '' };
}

export const REVOKE_OPERATION: Description = {
  operationId: 'revokeToken',
  summary: 'Revokes an access token of the caller (RFC 7009)',
  ...formOperation('RevocationRequest', {
    '200': {
      description: 'It is good for nothing any more.',
      headers: headerReferences(['X-Request-Id']),
    },
    '400': errorResponse('Bad request, or no token.'),
    '403': errorResponse('Forbidden: as for a token, or it is the token of another API user.'),
  }),
};
