import type { Clock } from './clock.ts';
import { credentialsFromEnv, credentialsFromFile } from './credentials.ts';
import type { EventListener } from './events.ts';
import { mustBeSecure } from './plain-http.ts';
import { REDACTED, printAsString } from './redaction.ts';
import type { RetryPolicy } from './retry.ts';
import { defaultRetry, withoutUndefined, retryPolicy } from './retry.ts';
import type { ClientAssertion, ClientSecret, FetchFunction, Settings } from './settings.ts';
import { defaults } from './settings.ts';
import type { Rules } from './validation.ts';
import { aFunction, check, flag, number, objectWith, orFunction, pattern, text } from './validation.ts';

export interface ConfigurationParameters {
  /** Base URL of the platform's API, path included. Default `https://api.criteo.com/marketing`. */
  readonly host?: string | undefined;
  /** Allows `http://` to other hosts, for tokens and API calls. Default false: to loopback addresses only. */
  readonly allowInsecure?: boolean | undefined;
  /** Path of the token endpoint below `host`. Default `/oauth2/token`. */
  readonly tokenPath?: string | undefined;
  /** Client id or username of the API user. */
  readonly clientId?: string | undefined;
  readonly clientSecret?: ClientSecret | undefined;
  /**
   * How the secret is sent: in the form (default) or as HTTP Basic (RFC 6749 §2.3.1). Or a function that
   * proves the caller without a secret: from `@mintmark/client/key` or `@mintmark/client/identity`.
   */
  readonly clientAuthentication?: 'form' | 'basic' | ClientAssertion | undefined;
  /** Space-separated scopes to request. Default: all that the API user may have. */
  readonly scope?: string | undefined;
  /** Resource to request a token for (RFC 8707). Default: the API user's own audience. */
  readonly resource?: string | undefined;
  /** Default: the global `fetch` at the time of the call. */
  readonly fetch?: FetchFunction | undefined;
  /** Timeout of one attempt, from sending to the body's last byte, in milliseconds. Default 10,000. */
  readonly timeoutMs?: number | undefined;
  /** Overrides fields of the retry policy; `false` means one attempt. */
  readonly retry?: Partial<RetryPolicy> | false | undefined;
  readonly clock?: Clock | undefined;
  /** Receives every request, response, retry, renewal and failure. */
  readonly onEvent?: EventListener | undefined;
}

const retryRules: Rules = {
  ...Object.fromEntries(Object.keys(defaultRetry).map((name) => [name, number(0)])),
  attempts: [(value) => typeof value === 'number' && value >= 1, 'a number from 1, or Infinity'],
};

const baseUrl = pattern(/^https?:\/\/[^\s/?#@]+(\/[^\s?#@]*)?$/i, 'an http(s) URL without user or query');

const rules: Rules = {
  timeoutMs: number(1),
  retry: [(value) => value === false || typeof value === 'object', 'an object or false'],
  host: [(value) => baseUrl[0](value) && URL.canParse(String(value)), baseUrl[1]],
  tokenPath: pattern(/^\/[^\s?#]*$/, 'a path such as /oauth2/token'),
  allowInsecure: flag,
  clientId: text,
  clientSecret: orFunction(text),
  clientAuthentication: orFunction(pattern(/^(form|basic)$/, '"form", "basic"')),
  scope: text,
  resource: text,
  fetch: aFunction,
  clock: objectWith('now', 'after'),
  onEvent: aFunction,
};

/** Server, credentials and policies of token requests. Checked and frozen; prints without the secret. */
export class Configuration implements Settings {
  declare readonly host: string;
  declare readonly tokenPath: string;
  declare readonly allowInsecure: boolean | undefined;
  declare readonly clientId: string | undefined;
  declare readonly clientSecret: ClientSecret | undefined;
  declare readonly clientAuthentication: 'form' | 'basic' | ClientAssertion | undefined;
  declare readonly scope: string | undefined;
  declare readonly resource: string | undefined;
  declare readonly fetch: FetchFunction;
  declare readonly timeoutMs: number;
  declare readonly retry: RetryPolicy;
  declare readonly clock: Clock;
  declare readonly onEvent: EventListener | undefined;

  static {
    printAsString(this.prototype);
  }

  /** @throws ConfigurationError that names the unknown or wrong option. */
  constructor(parameters: ConfigurationParameters = {}) {
    check(parameters, rules);
    if (parameters.retry) check(parameters.retry, retryRules, 'retry.');
    Object.assign(this, defaults, withoutUndefined(parameters));
    this.host = (parameters.host ?? defaults.host).replace(/\/+$/, '');
    mustBeSecure('host', this.host, this.allowInsecure);
    this.retry = retryPolicy(defaults.retry, parameters.retry);
    // A getter outside the enumerable properties: printing, spreading or JSON does not show the secret.
    const { clientAuthentication, clientSecret } = parameters;
    const get = () => (typeof clientAuthentication === 'function' ? clientAuthentication : clientSecret);
    Object.defineProperty(this, 'clientSecret', { get, enumerable: false });
    Object.freeze(this);
  }

  /**
   * Reads the credentials from `MINTMARK_CLIENT_ID` and `MINTMARK_CLIENT_SECRET` or
   * `MINTMARK_CLIENT_SECRET_FILE`. That file is read for each token request; line breaks at its end are
   * ignored. `MINTMARK_CLIENT_ALLOW_INSECURE=true` sets `allowInsecure`. No other variable is read; in
   * particular, none sets the host. With a `clientAuthentication` that needs no secret, none is read.
   *
   * @throws ConfigurationError that names the missing or wrong variable.
   */
  static fromEnv(
    parameters?: ConfigurationParameters,
    env?: Record<string, string | undefined>,
  ): Configuration {
    return new Configuration({ ...credentialsFromEnv(env, parameters?.clientAuthentication), ...parameters });
  }

  /**
   * Reads `client_id`, `client_secret` and, if present, `host` from a JSON file: one object with them, or one
   * such object per profile. Without `profile`, reads the profile `default`, or else the file's own members.
   * The file is UTF-8; a byte order mark is skipped.
   *
   * @throws ConfigurationError that names the file and what is missing.
   */
  static async fromFile(
    path: string,
    profile?: string,
    parameters?: ConfigurationParameters,
  ): Promise<Configuration> {
    return new Configuration({ ...(await credentialsFromFile(path, profile)), ...parameters });
  }

  /** URL of the token endpoint. */
  get tokenUrl(): string {
    return this.host + this.tokenPath;
  }

  toJSON(): object {
    return Object.assign({}, this, this.clientSecret === undefined ? {} : { clientSecret: REDACTED });
  }

  toString(): string {
    return JSON.stringify(this);
  }
}
