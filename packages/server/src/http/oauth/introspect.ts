import { isRefusal, type Refusal } from '../../domain/refusal.ts';
import { andThen } from '../../lib/maybe-promise.ts';
import {
  introspectToken,
  type IntrospectingServices,
  type Introspection,
} from '../../oauth/introspect-token.ts';
import { asciiJson } from '../../lib/ascii-json.ts';
import { NO_STORE, type Answer, type RequestHandler } from '../answer.ts';
import { errorResponse } from '../error-response.ts';
import { headerReferences, jsonResponse, text, whole, type Description } from '../operation.ts';
import type { FormEndpointServices } from './answering.ts';
import { formEndpoint, formOperation, type FormEndpointConfig } from './endpoint.ts';

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
          ...active.others,
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
          ...(active.organisationId !== null && { org_id: active.organisationId }),
        };
  return { status: 200, headers: NO_STORE, body: asciiJson(body) };
}

export const INTROSPECT_OPERATION: Description = {
  operationId: 'introspectToken',
  summary: 'Says whether an access token is good, to API users with the scope mintmark:introspect (RFC 7662)',
  ...formOperation('IntrospectionRequest', {
    '200': {
      ...jsonResponse('What there is to say', 'Introspection'),
      headers: headerReferences(['X-Request-Id']),
    },
    '400': errorResponse('Bad request, or no token.'),
    '403': errorResponse('Forbidden: as for a token, or without the scope mintmark:introspect.'),
  }),
};

export const INTROSPECT_SCHEMAS: Description = {
  Introspection: {
    type: 'object',
    required: ['active'],
    properties: {
      active: { type: 'boolean', description: 'False for a token that is not meant for the caller, too' },
      scope: text,
      client_id: text,
      token_type: { ...text, const: 'Bearer' },
      exp: whole,
      iat: whole,
      sub: text,
      aud: text,
      iss: text,
      jti: text,
      org_id: { ...text, description: 'The organisation of the API user' },
    },
    additionalProperties: { description: 'A static claim of the token, as operators set it' },
  },
};
