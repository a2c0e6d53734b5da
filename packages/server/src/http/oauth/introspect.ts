import { introspect, type IntrospectingServices, type Introspection } from '../../oauth/introspect-token.ts';
import { NO_STORE, type Answer, type RequestHandler } from '../answer.ts';
import { formEndpoint, type FormEndpointConfig, type FormEndpointServices } from './endpoint.ts';

/** `POST {base}/oauth2/introspect` (RFC 7662). */
export function introspectionEndpoint(
  services: FormEndpointServices & IntrospectingServices,
  config: FormEndpointConfig,
): RequestHandler {
  return formEndpoint(services, config, {
    statistics: services.routes.introspection,
    name: 'the introspection endpoint',
    usage: 'Tokens are asked about with POST, and a form in the body.',
    act: (caller, form) => introspect(services, { ...caller, token: form.get('token') }),
    answer: introspectionAnswer,
  });
}

/** RFC 7662 §2.2. */
function introspectionAnswer({ active }: Introspection): Answer {
  const told =
    active === null
      ? { active: false }
      : {
          active: true,
          ...(active.scope !== '' && { scope: active.scope }),
          client_id: active.clientId,
          token_type: 'Bearer',
          exp: active.expiresAt,
          iat: active.issuedAt,
          sub: active.clientId,
          aud: active.audience,
          iss: active.issuer,
          jti: active.tokenId,
        };
  return { status: 200, headers: NO_STORE, body: JSON.stringify(told) };
}
