import { revokeToken, type RevokingServices } from '../../oauth/revoke-token.ts';
import { NO_STORE, type RequestHandler } from '../answer.ts';
import { formEndpoint, type FormEndpointConfig, type FormEndpointServices } from './endpoint.ts';

/** `POST {base}/oauth2/revoke` (RFC 7009). */
export function revocationEndpoint(
  services: FormEndpointServices & RevokingServices,
  config: FormEndpointConfig,
): RequestHandler {
  return formEndpoint(services, config, {
    statistics: services.routes.revocation,
    name: 'the revocation endpoint',
    usage: 'Tokens are revoked with POST, and a form in the body.',
    act: (caller, form) => revokeToken(services, { ...caller, token: form.get('token') }),
    answer: () => ({ status: 200, headers: NO_STORE, body: '' }),
  });
}
