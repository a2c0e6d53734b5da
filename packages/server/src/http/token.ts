import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import { invalidRequest, isDenial, type Denial } from '../domain/denial.ts';
import { issueToken, type Counters, type IssuedToken, type IssuingServices } from '../domain/issue-token.ts';
import { limitedNetwork } from '../domain/network.ts';
import { andThen, type MaybePromise } from '../domain/and-then.ts';
import { NO_STORE, sendAnswer, type Answer } from './answer.ts';
import { readBody } from './body.ts';
import { readCredentials, requestProblem, usesBasic } from './credentials.ts';
import { denialAnswer, errorAnswer, serverErrorAnswer } from './error-response.ts';
import { parseForm } from './form.ts';
import { rateLimitHeaders } from './rate-limit-headers.ts';
import { traceIdOf } from './trace.ts';

export interface TokenEndpointServices extends IssuingServices {
  /** Calls per network address. */
  addresses: Counters;
  addressOf(request: IncomingMessage): string;
  log: Logger;
}

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void;

/** `POST {base}/oauth2/token`, straight on node:http: the one route whose cost counts. */
export function tokenEndpoint(
  services: TokenEndpointServices,
  config: Pick<Config, 'bodyBytesMax' | 'addressLimit'>,
): RequestHandler {
  function handle(request: IncomingMessage, response: ServerResponse, traceId: string): void {
    if (request.method !== 'POST') return send(methodNotAllowed(traceId));
    const address = services.addressOf(request);
    const limit = services.addresses.take(limitedNetwork(address), config.addressLimit, services.now());
    if (!limit.allowed) return respond({ denied: 'rate_limit_exceeded', policy: 'address', limit });
    readBody(request, config.bodyBytesMax, (body) => {
      guarded(response, traceId, () => andThen(tokenFor(request, traceId, body, address), respond));
    });

    function respond(outcome: IssuedToken | Denial): void {
      const nowMs = services.now();
      send(
        isDenial(outcome)
          ? denialAnswer(outcome, traceId, usesBasic(request.headers.authorization), nowMs)
          : tokenAnswer(outcome, nowMs),
      );
    }

    function send(answer: Answer): void {
      if (response.destroyed) return;
      if (!request.complete) response.shouldKeepAlive = false; // what is left of a body is not waited for
      sendAnswer(response, answer, traceId);
    }
  }

  function tokenFor(
    request: IncomingMessage,
    traceId: string,
    body: Buffer | 'too large',
    address: string,
  ): MaybePromise<IssuedToken | Denial> {
    const { headers } = request;
    const problem = requestProblem(headers, request.url ?? '');
    if (problem !== null) return problem;
    if (body === 'too large') {
      return invalidRequest(
        `The body is longer than ${config.bodyBytesMax} bytes: send only the documented parameters.`,
      );
    }
    const form = parseForm(body);
    if (isDenial(form)) return form;
    const credentials = readCredentials(form, headers.authorization);
    if (isDenial(credentials)) return credentials;
    return issueToken(services, {
      clientId: credentials.clientId,
      clientSecret: credentials.clientSecret,
      grantType: form.get('grant_type'),
      scope: form.get('scope'),
      resource: form.get('resource'),
      address,
      traceId,
    });
  }

  /** A bug becomes 500: the cause goes to the log, under the trace id. */
  function guarded(response: ServerResponse, traceId: string, work: () => MaybePromise<void>): void {
    const failed = (error: unknown) => {
      services.log.error({ traceId, err: error }, 'the token endpoint failed');
      if (response.headersSent) response.destroy();
      else sendAnswer(response, serverErrorAnswer(traceId), traceId);
    };
    try {
      const working = work();
      if (working instanceof Promise) working.catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  return (request, response) => {
    const traceId = traceIdOf(request.headers['traceparent']);
    guarded(response, traceId, () => handle(request, response, traceId));
  };
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

function methodNotAllowed(traceId: string): Answer {
  const description = 'Tokens are asked for with POST, and a form in the body.';
  return errorAnswer(405, 'method_not_allowed', description, traceId, ['Allow', 'POST']);
}
