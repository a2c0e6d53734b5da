import type { AuthenticationMethod, Client, KeyClient } from './client.ts';
import type { Discovery } from './discovery.ts';

export interface Endpoints {
  token: string;
  introspection: string | null;
  revocation: string | null;
  jwks: string | null;
}

/** What the operator says about the server under test. */
export interface TargetOptions {
  /** The issuer, or the base URL of a server without metadata. */
  url: string;
  client: Client;
  /** A second client: its tokens are not those of the first. */
  otherClient?: Client;
  /** `none` if the server accepts no assertions. */
  keyClient?: KeyClient | 'none';
  /** Scopes that the client may have. */
  scopes?: readonly string[];
  /** An API that the client's tokens may be for; `none` if the server has no `resource` parameter. */
  resource?: string;
  /** A URL that answers GET only with an access token of the client; `none` if the server protects none. */
  protectedUrl?: string;
  /** In place of those of the metadata. */
  endpoints?: Partial<Endpoints>;
}

/** The server under test, as its operator and its metadata describe it. */
export interface Target {
  options: TargetOptions;
  discovery: Discovery | null;
  endpoints: Endpoints;
  /** The methods with which the client got a token at the start; null: it got none. */
  methods: readonly AuthenticationMethod[];
}

/** The endpoints of the operator, else those of the metadata. */
export function endpointsOf(options: TargetOptions, discovery: Discovery | null): Endpoints {
  const named = (member: string) => {
    const value = discovery?.metadata[member];
    return typeof value === 'string' && URL.canParse(value) ? value : null;
  };
  return {
    // Without metadata and option, the path that most servers have.
    token: named('token_endpoint') ?? `${options.url.replace(/\/$/, '')}/token`,
    introspection: named('introspection_endpoint'),
    revocation: named('revocation_endpoint'),
    jwks: named('jwks_uri'),
    ...options.endpoints,
  };
}
