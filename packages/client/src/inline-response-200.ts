import { REDACTED, printAsString, property } from './redaction.ts';

/** The token endpoint's answer. `access_token` is a getter: printing, spreading or JSON leaves it out. */
export class InlineResponse200 {
  readonly #accessToken: string;
  /** `Bearer`, in the server's letter case. */
  declare readonly token_type: string;
  /** Seconds since the request was sent. */
  declare readonly expires_in: number;
  /** The granted scopes, if they differ from the requested ones (RFC 6749 §5.1). */
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

  /** A JWT, sent in the Authorization header after `Bearer `. */
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

/** Parses a token response. Returns a description of the fault if the body is not one (RFC 6749 §5.1). */
export function parseTokenResponse(body: string): InlineResponse200 | string {
  const fields = parseJson(body);
  const token = property(fields, 'access_token');
  const type = property(fields, 'token_type');
  const life = property(fields, 'expires_in');
  const scope = property(fields, 'scope');
  // Any visible ASCII: RFC 6750 §2.1 allows less, but opaque tokens of other servers use more.
  if (typeof token !== 'string' || !/^[!-~]+$/.test(token)) return 'no access_token';
  if (typeof type !== 'string' || !/^bearer$/i.test(type)) return 'token_type is not Bearer';
  // Some servers send the number as a string.
  const seconds = Number(life);
  if (!(seconds > 0 && seconds < Infinity)) return 'no expires_in';
  return new InlineResponse200(token, type, seconds, typeof scope === 'string' ? scope : undefined);
}

/** Undefined if the text is not JSON. The parser's own message would quote it, with any token. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
