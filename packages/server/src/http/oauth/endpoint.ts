import type { IncomingMessage } from 'node:http';
import type { Config } from '../../config/config.ts';
import { limitedNetwork } from '../../domain/network.ts';
import { refusal } from '../../domain/refusal.ts';
import { ownPart } from '../../domain/shared-limit.ts';
import { steadyNow } from '../../lib/clock.ts';
import { sendAnswer, type RequestHandler } from '../answer.ts';
import { errorAnswer, errorResponse, overloadedAnswer } from '../error-response.ts';
import { invitesBody } from '../framing.ts';
import { header, text, type Description } from '../operation.ts';
import { RATE_LIMIT_HEADERS } from '../rate-limit-headers.ts';
import type { ServedRequest } from '../served-request.ts';
import type { ServedResponse } from '../served-response.ts';
import { traceIdOf } from '../trace.ts';
import {
  createAnswering,
  OVERLOADED,
  send,
  type AnswerForm,
  type Exchange,
  type FormEndpointServices,
  type FormRoute,
} from './answering.ts';
import { ASSERTION_TYPE } from './request-credentials.ts';

export type FormEndpointConfig = Pick<Config, 'bodyBytesMax'>;

/**
 * An endpoint for API users, directly on node:http. `receive` runs before the body is read, `createAnswering`
 * has the steps after it. Each endpoint supplies `answer`, which gets `services` as an argument because
 * this is the hot path.
 */
export function formEndpoint<S extends FormEndpointServices>(
  services: S,
  { bodyBytesMax }: FormEndpointConfig,
  route: FormRoute,
  answer: AnswerForm<S>,
): RequestHandler {
  const { addressPerMinute, sharedLimits, admission } = services;
  const { join, answerNow, fail } = createAnswering(services, { bodyBytesMax, route, answer });

  function receive(request: ServedRequest, response: ServedResponse): void {
    if (!admission.admits()) return shed(request, response);
    const exchange: Exchange = {
      request,
      response,
      traceId: traceIdOf(request.headers['traceparent']),
      startedAt: steadyNow(),
      address: '',
      body: 'too large', // until it has arrived
      caller: null,
      form: null,
      outcome: null,
      nowMs: 0,
    };
    try {
      if (request.method !== 'POST') return refuseMethod(exchange);
      exchange.address = services.addressOf(request);
      const nowMs = services.now();
      // This check comes before the body, so it uses the counts of this process. Shared limits come later.
      const parts = sharedLimits === null ? 1 : sharedLimits.parts();
      const network = limitedNetwork(exchange.address);
      const limit = services.addresses.consume(network, ownPart(addressPerMinute, parts), nowMs);
      if (!limit.allowed) {
        const denial = { denied: 'rate_limit_exceeded', policy: 'address', limit } as const;
        return answerNow(exchange, refusal(denial), nowMs);
      }
      const takesBody = (body: Buffer | 'too large'): void => {
        exchange.body = body;
        join(exchange);
      };
      if (!invitesBody(request, response, bodyBytesMax)) return takesBody('too large');
      request.readBody(bodyBytesMax, takesBody);
    } catch (error) {
      fail(exchange, error);
    }
  }

  /**
   * Refuses a request before its body. A body within the limit does not close the connection: a new
   * connection costs both sides more than the body.
   */
  function shed(request: IncomingMessage, response: ServedResponse): void {
    const traceId = traceIdOf(request.headers['traceparent']);
    route.statistics.noteUntouched('overloaded');
    services.noteRefusal(OVERLOADED, services.now());
    if (Number(request.headers['content-length'] ?? 0) > bodyBytesMax) response.shouldKeepAlive = false;
    sendAnswer(response, overloadedAnswer(traceId), traceId);
  }

  function refuseMethod(exchange: Exchange): void {
    route.statistics.record('method_not_allowed', steadyNow() - exchange.startedAt);
    const allow = ['Allow', 'POST'];
    send(exchange, errorAnswer(405, 'method_not_allowed', route.usage, exchange.traceId, allow));
  }

  return receive;
}

/** What the operations of all endpoints with a form and credentials share. `schema`: that of the form. */
export function formOperation(schema: string, responses: Description): Description {
  return {
    tags: ['Authentication'],
    security: [{}, { basic: [] }],
    requestBody: {
      content: {
        'application/x-www-form-urlencoded': { schema: { $ref: `#/components/schemas/${schema}` } },
      },
    },
    responses: {
      ...responses,
      '401': errorResponse('The client could not be authenticated, where HTTP Basic was used.', [
        'WWW-Authenticate',
      ]),
      '405': errorResponse('Any method but POST.', ['Allow']),
      '429': errorResponse('Rate limit reached.', ['Retry-After', ...Object.keys(RATE_LIMIT_HEADERS)]),
      '500': errorResponse('Unknown error.'),
      '503': errorResponse('Temporarily unavailable.', ['Retry-After']),
    },
  };
}

export const FORM_HEADERS: Description = { Allow: header('POST') };

export const CREDENTIAL_PARAMETERS: Description = {
  client_id: { ...text, description: 'API Client-Id or Username' },
  client_secret: { ...text, format: 'password', description: 'API Client secret or password' },
  client_assertion_type: {
    ...text,
    const: ASSERTION_TYPE,
    description: 'The type of client_assertion (RFC 7521 section 4.2)',
  },
  client_assertion: {
    ...text,
    description: 'In place of a secret: a JWT that proves the API user (RFC 7523)',
  },
};

/** A form about a token: RFC 7662 §2.1 and RFC 7009 §2.1. */
const TOKEN_FORM: Description = {
  type: 'object',
  required: ['token'],
  properties: {
    ...CREDENTIAL_PARAMETERS,
    token: { ...text, description: 'An access token' },
    token_type_hint: { ...text, description: 'Ignored: there are access tokens only' },
  },
};

export const TOKEN_FORM_SCHEMAS: Description = {
  IntrospectionRequest: TOKEN_FORM,
  RevocationRequest: TOKEN_FORM,
};
