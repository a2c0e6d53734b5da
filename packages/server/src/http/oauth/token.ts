import type { Caller } from '../../domain/caller.ts';
import { isRefusal, type Refusal } from '../../domain/refusal.ts';
import { andThen, type MaybePromise } from '../../lib/maybe-promise.ts';
import { issueToken, type IssuedToken, type IssuingServices } from '../../oauth/issue-token.ts';
import { joinedHeaders, NO_STORE, type RequestHandler } from '../answer.ts';
import { errorResponse } from '../error-response.ts';
import type { Form } from '../form.ts';
import { headerReferences, jsonResponse, text, type Description } from '../operation.ts';
import { RATE_LIMIT_HEADERS, rateLimitHeaders } from '../rate-limit-headers.ts';
import type { FormAnswer, FormEndpointServices } from './answering.ts';
import { CREDENTIAL_PARAMETERS, formEndpoint, formOperation, type FormEndpointConfig } from './endpoint.ts';

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
): MaybePromise<FormAnswer | Refusal> {
  const request = {
    grantType: form.get('grant_type'),
    scope: form.get('scope'),
    resource: form.get('resource'),
  };
  return andThen(issueToken(services, caller, request, nowMs), tokenAnswer);
}

/** `InlineResponse200` of the reference, plus `scope` if it differs from the request (RFC 6749 §5.1). */
function tokenAnswer(outcome: IssuedToken | Refusal): FormAnswer | Refusal {
  if (isRefusal(outcome)) return outcome;
  const { sign, expiresInSeconds, scope, limit, issuedAtMs } = outcome;
  const tail = scope === undefined ? '' : `,"scope":${JSON.stringify(scope)}`;
  return {
    status: 200,
    headers: joinedHeaders(NO_STORE, rateLimitHeaders('api-user', limit, issuedAtMs)),
    body: () => `{"access_token":"${sign()}","token_type":"Bearer","expires_in":${expiresInSeconds}${tail}}`,
  };
}

export const TOKEN_OPERATION: Description = {
  operationId: 'oAuth2TokenPost',
  summary: 'Authenticates provided credentials and returns an access token',
  ...formOperation('TokenRequest', {
    '200': {
      ...jsonResponse('Success', 'InlineResponse200'),
      headers: headerReferences([...Object.keys(RATE_LIMIT_HEADERS), 'X-Request-Id']),
    },
    '400': errorResponse(
      'Bad request, invalid syntax, or a scope or resource that the API user may not have.',
    ),
    '403': errorResponse('Forbidden: the client could not be authenticated, or not from this address.'),
  }),
};

export const TOKEN_SCHEMAS: Description = {
  TokenRequest: {
    type: 'object',
    properties: {
      ...CREDENTIAL_PARAMETERS,
      grant_type: {
        ...text,
        default: 'client_credentials',
        description: 'The only grant type is client_credentials',
      },
      scope: {
        ...text,
        description: 'Space-separated; left out: all that the API user may have (RFC 6749 section 3.3)',
      },
      resource: {
        ...text,
        format: 'uri',
        description: 'Left out: the default audience of the API user (RFC 8707)',
      },
    },
  },
  InlineResponse200: {
    type: 'object',
    required: ['access_token', 'token_type', 'expires_in'],
    properties: {
      access_token: { ...text, description: 'A JWT (RFC 9068)' },
      token_type: { ...text, const: 'Bearer' },
      expires_in: { type: 'integer', minimum: 1, description: 'Seconds' },
      scope: { ...text, description: 'Present where it is not exactly what was asked for' },
    },
    additionalProperties: false,
  },
};
