import { isRefusal, type Refusal } from '../../domain/refusal.ts';
import { andThen } from '../../lib/maybe-promise.ts';
import {
  introspectToken,
  type IntrospectingServices,
  type Introspection,
} from '../../oauth/introspect-token.ts';
import { NO_STORE, type Answer, type RequestHandler } from '../answer.ts';
import { formEndpoint, type FormEndpointConfig, type FormEndpointServices } from './endpoint.ts';

/** `POST {base}/oauth2/introspect` (RFC 7662). */
export function introspectionEndpoint(
  services: FormEndpointServices & IntrospectingServices,
  config: FormEndpointConfig,
): RequestHandler {
  const route = {
    name: 'the introspection endpoint',
    usage: 'Tokens are asked about with POST, and a form in the body.',
    statistics: services.routes.introspection,
  };
  return formEndpoint(services, config, route, (own, caller, form, nowMs) =>
    andThen(introspectToken(own, caller, form.get('token'), nowMs), introspectionAnswer),
  );
}

/** The introspection response (RFC 7662 §2.2). */
function introspectionAnswer(outcome: Introspection | Refusal): Answer | Refusal {
  if (isRefusal(outcome)) return outcome;
  const { active } = outcome;
  const body =
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
  return { status: 200, headers: NO_STORE, body: JSON.stringify(body) };
}
