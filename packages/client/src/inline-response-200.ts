import { REDACTED, printAsString, property } from './redaction.ts';

/**
 * The token endpoint's answer. `access_token` is read like any property, and is left out when the object is printed,
 * spread or turned into JSON.
 */
export class InlineResponse200 {
  readonly #accessToken: string;
  /** `Bearer`, in the letter case in which the server sent it. */
  readonly token_type: string;
  /** Seconds from when the request was sent. */
  readonly expires_in: number;
  /** Sent when it is not exactly what was asked for (RFC 6749 §5.1). */
  declare readonly scope?: string;

  static {
    printAsString(this.prototype);
  }

  constructor(accessToken: string, tokenType: string, expiresIn: number, scope?: string) {
    this.#accessToken = accessToken;
    this.token_type = tokenType;
    this.expires_in = expiresIn;
    if (scope !== undefined) this.scope = scope;
  }

  /** What goes after `Bearer ` in the Authorization header: a JWT. */
  get access_token(): string {
    return this.#accessToken;
  }

  toJSON(): object {
    return Object.assign({ access_token: REDACTED }, this);
  }

  toString(): string {
    return JSON.stringify(this);
  }
}

/** The token response in a body, or in words what keeps the body from being one (RFC 6749 §5.1). */
export function parseTokenResponse(body: string): InlineResponse200 | string {
  const fields = parseJson(body);
  const token = property(fields, 'access_token');
  const type = property(fields, 'token_type');
  const life = property(fields, 'expires_in');
  const scope = property(fields, 'scope');
  // What may stand in a header: RFC 6750 §2.1 allows less, other servers' opaque tokens use more.
  if (typeof token !== 'string' || !/^[!-~]+$/.test(token)) return 'no access_token';
  if (typeof type !== 'string' || !/^bearer$/i.test(type)) return 'token_type is not Bearer';
  // Some servers send it as a string.
  const seconds = Number(life);
  if (!(seconds > 0 && seconds < Infinity)) return 'no expires_in';
  return new InlineResponse200(token, type, seconds, typeof scope === 'string' ? scope : undefined);
}

/** What a text holds as JSON; undefined when it is none. The parser's own message would quote it, token and all. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
