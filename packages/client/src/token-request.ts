import { ConfigurationError } from './configuration-error.ts';
import { mustBePrintable } from './printable.ts';
import type { Scrub } from './redaction.ts';
import { scrubber } from './redaction.ts';
import type { Settings } from './settings.ts';
import type { TimeLimit } from './time-limit.ts';
import { within } from './time-limit.ts';

/** Parameters named as on the platform's reference page; they override the configuration. */
export interface OAuth2TokenPostParameters {
  /** API Client-Id or Username. */
  readonly clientId?: string | undefined;
  /** API Client secret or password. */
  readonly clientSecret?: string | undefined;
  /** Default `client_credentials`, the only supported grant type. */
  readonly grantType?: string | undefined;
  /** Space-separated. Default: the configuration's, else all that the API user may have. */
  readonly scope?: string | undefined;
  /** Default: the configuration's, else the API user's own audience (RFC 8707). */
  readonly resource?: string | undefined;
}

export interface TokenRequest {
  readonly url: string;
  readonly init: RequestInit;
  /** Removes this request's secret from a text. */
  readonly scrub: Scrub;
  /** It holds an assertion, which the server accepts once: each attempt needs a new request. */
  readonly renew: boolean;
}

/**
 * Builds the request for all attempts, or for one if it holds an assertion.
 *
 * @throws ConfigurationError if a credential is missing; any error of a `clientSecret` function.
 */
export async function tokenRequest(
  configuration: Settings,
  parameters: OAuth2TokenPostParameters,
  limit: TimeLimit,
): Promise<TokenRequest> {
  const parameter = <Name extends 'clientId' | 'clientSecret' | 'scope' | 'resource'>(name: Name) =>
    parameters[name] ?? configuration[name];
  const clientId = required('clientId', parameter('clientId'));
  const { clientAuthentication } = configuration;
  const secret = parameter('clientSecret');
  const proof = required(
    'clientSecret',
    typeof secret === 'function'
      ? await within(limit, async (signal) => secret({ signal, clientId, configuration }))
      : secret,
  );
  const hasAssertion = secret === clientAuthentication && typeof secret === 'function';
  const inForm = clientAuthentication !== 'basic';
  // RFC 6749 §2.3.1: form-encode both parts before joining, so that they may hold colons and umlauts.
  const basic = inForm ? proof : btoa(`${encodeURIComponent(clientId)}:${encodeURIComponent(proof)}`);
  const fields = {
    grant_type: required('grantType', parameters.grantType || 'client_credentials'),
    client_id: inForm && clientId,
    client_secret: inForm && !hasAssertion && proof,
    client_assertion: hasAssertion && proof,
    client_assertion_type: hasAssertion && 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    scope: parameter('scope'),
    resource: parameter('resource'),
  };
  let body = '';
  for (const [name, value] of Object.entries(fields)) {
    mustBePrintable(name, value);
    if (value) body += `&${name}=${encodeURIComponent(value)}`;
  }
  return {
    url: configuration.host + configuration.tokenPath,
    init: {
      method: 'POST',
      headers: {
        accept: 'application/json',
        'content-type': 'application/x-www-form-urlencoded',
        ...(!inForm && { authorization: `Basic ${basic}` }),
      },
      body: body.slice(1),
      // Following a redirect would send the secret to another host.
      redirect: 'manual',
    },
    scrub: scrubber([proof, basic]),
    renew: hasAssertion,
  };
}

function required(name: string, value: unknown): string {
  mustBePrintable(name, value);
  if (typeof value === 'string' && value) return value;
  throw new ConfigurationError(name, 'is missing');
}
