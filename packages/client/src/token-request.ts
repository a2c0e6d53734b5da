import { ConfigurationError } from './configuration-error.ts';
import { mustBePrintable } from './printable.ts';
import type { Scrub } from './redaction.ts';
import { scrubber } from './redaction.ts';
import type { Settings } from './settings.ts';
import type { TimeLimit } from './time-limit.ts';
import { within } from './time-limit.ts';

/** What the reference page lets a caller give; what is given beats the configuration. */
export interface OAuth2TokenPostParameters {
  /** API Client-Id or Username. */
  readonly clientId?: string | undefined;
  /** API Client secret or password. */
  readonly clientSecret?: string | undefined;
  /** Default `client_credentials`, the only grant type there is. */
  readonly grantType?: string | undefined;
  /** Space-separated scopes; default those of the configuration, else all that the API user may have. */
  readonly scope?: string | undefined;
  /** Default the resource of the configuration, else the API user's own audience (RFC 8707). */
  readonly resource?: string | undefined;
}

export interface TokenRequest {
  readonly url: string;
  readonly init: RequestInit;
  /** Takes this request's secret out of a text. */
  readonly scrub: Scrub;
}

/**
 * The request to send, made once for all attempts.
 *
 * @throws ConfigurationError when a credential is missing; what the function that fetches the secret throws.
 */
export async function tokenRequest(
  configuration: Settings,
  parameters: OAuth2TokenPostParameters,
  limit: TimeLimit,
): Promise<TokenRequest> {
  const given = <Name extends 'clientId' | 'clientSecret' | 'scope' | 'resource'>(name: Name) =>
    parameters[name] ?? configuration[name];
  const secret = given('clientSecret');
  const clientId = required('clientId', given('clientId'));
  const clientSecret = required(
    'clientSecret',
    typeof secret === 'function' ? await within(limit, async (signal) => secret({ signal })) : secret,
  );
  const { grantType = 'client_credentials' } = parameters;
  const [scope, resource] = [given('scope'), given('resource')];
  const texts = { clientId, clientSecret, grantType, scope, resource };
  for (const [name, text] of Object.entries(texts)) mustBePrintable(name, text);
  const inForm = configuration.clientAuthentication !== 'basic';
  // RFC 6749 §2.3.1: both parts are form-encoded before they are joined, so a colon or an umlaut does no harm.
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
      // It would carry the secret elsewhere.
      redirect: 'manual',
    },
    scrub: scrubber([clientSecret, basic || clientSecret]),
  };
}

function required(name: string, value: unknown): string {
  if (typeof value === 'string' && value) return value;
  throw new ConfigurationError(name, 'is missing');
}
