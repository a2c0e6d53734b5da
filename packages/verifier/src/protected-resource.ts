import { requiredScopes } from './scopes.ts';

export interface ProtectedResourceOptions {
  /** The identifier of this API: its URL, and the audience of its tokens. */
  resource: string;
  /** The issuers whose tokens this API accepts. */
  issuers: readonly string[];
  /** The scopes that its routes require. */
  scopes?: readonly string[] | undefined;
  /** URL of the documentation for developers. */
  documentation?: string | undefined;
}

/** The metadata of a protected resource (RFC 9728). */
export interface ProtectedResource {
  /** Value of the verifier's option `resourceMetadataUrl`. */
  readonly url: string;
  /** The route that serves the metadata. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export function protectedResource(options: ProtectedResourceOptions): ProtectedResource {
  const { origin, pathname, search, hash } = new URL(options.resource);
  if (hash !== '')
    throw new TypeError(`resource: ${options.resource} must have no fragment (RFC 9728 §1.2).`);
  // RFC 9728 §3.1: insert between host and path; drop a path of only `/`.
  const path = `/.well-known/oauth-protected-resource${pathname === '/' ? '' : pathname}`;
  const body = JSON.stringify({
    resource: options.resource,
    authorization_servers: options.issuers,
    scopes_supported: options.scopes && requiredScopes(options.scopes),
    // RFC 6750 §2.1: tokens are accepted only in the Authorization header.
    bearer_methods_supported: ['header'],
    resource_documentation: options.documentation,
  });
  const headers = Object.freeze({
    'content-type': 'application/json',
    'cache-control': 'public, max-age=300',
  });
  return Object.freeze({ url: `${origin}${path}${search}`, path, headers, body });
}
