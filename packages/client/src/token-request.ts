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
}

/**
 * Builds the request once for all attempts.
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
  const secret = parameter('clientSecret');
  const clientId = required('clientId', parameter('clientId'));
  const clientSecret = required(
    'clientSecret',
    typeof secret === 'function' ? await within(limit, async (signal) => secret({ signal })) : secret,
  );
  const { grantType = 'client_credentials' } = parameters;
  const [scope, resource] = [parameter('scope'), parameter('resource')];
  const texts = { clientId, clientSecret, grantType, scope, resource };
  for (const [name, text] of Object.entries(texts)) mustBePrintable(name, text);
  const inForm = configuration.clientAuthentication !== 'basic';
  // RFC 6749 §2.3.1: form-encode both parts before joining, so that they may hold colons and umlauts.
  const basic = inForm ? '' : btoa(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`);
  const fields = {
    grant_type: grantType,
    client_id: inForm && clientId,
    client_secret: inForm && clientSecret,
    scope,
    resource,
  };
  let body = '';
  for (const [name, value] of Object.entries(fields)) {
    if (value) body += `&${name}=${encodeURIComponent(value)}`;
  }
  return {
    url: configuration.host + configuration.tokenPath,
    init: {
      method: 'POST',
      headers: {
        accept: 'application/json',
        'content-type': 'application/x-www-form-urlencoded',
        ...(basic && { authorization: `Basic ${basic}` }),
      },
      body: body.slice(1),
      // Following a redirect would send the secret to another host.
      redirect: 'manual',
    },
    scrub: scrubber([clientSecret, basic || clientSecret]),
  };
}

function required(name: string, value: unknown): string {
  if (typeof value === 'string' && value) return value;
  throw new ConfigurationError(name, 'is missing');
}
