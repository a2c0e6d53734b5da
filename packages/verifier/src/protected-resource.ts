import { requiredScopes } from './scopes.ts';

export interface ProtectedResourceOptions {
  /** The identifier of this API: its URL, and the audience of its tokens. */
  resource: string;
  /** The issuers whose tokens it takes. */
  issuers: readonly string[];
  /** The scopes that its routes ask for. */
  scopes?: readonly string[] | undefined;
  /** A page for people that says how to use it. */
  documentation?: string | undefined;
}

/** The metadata of a protected resource (RFC 9728), ready to be served. */
export interface ProtectedResource {
  /** For the option `resourceMetadataUrl` of the verifier. */
  readonly url: string;
  /** The route of it. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export function protectedResource(options: ProtectedResourceOptions): ProtectedResource {
  const { origin, pathname, search, hash } = new URL(options.resource);
  if (hash !== '')
    throw new TypeError(`resource: ${options.resource} must have no fragment (RFC 9728 §1.2).`);
  // RFC 9728 §3.1: between host and path, and without a slash that stands alone.
  const path = `/.well-known/oauth-protected-resource${pathname === '/' ? '' : pathname}`;
  const body = JSON.stringify({
    resource: options.resource,
    authorization_servers: options.issuers,
    scopes_supported: options.scopes && requiredScopes(options.scopes),
    // RFC 6750 §2.1: in the Authorization header and nowhere else.
    bearer_methods_supported: ['header'],
    resource_documentation: options.documentation,
  });
  const headers = Object.freeze({
    'content-type': 'application/json',
    'cache-control': 'public, max-age=300',
  });
  return Object.freeze({ url: `${origin}${path}${search}`, path, headers, body });
}
