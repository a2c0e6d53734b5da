/** A request of node:http, Express, Fastify or fetch: anything with headers. */
export interface RequestLike {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly originalUrl?: string | undefined;
  readonly headers:
    | { get(name: string): string | null }
    | Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** A header's value; undefined without one. Repeated headers are joined to a value that is not a token. */
export function headerOf({ headers }: RequestLike, name: string): string | undefined {
  const value =
    typeof headers.get === 'function'
      ? (headers as { get(name: string): string | null }).get(name)
      : (headers as Record<string, string | readonly string[] | undefined>)[name];
  if (value === null || value === undefined) return undefined;
  return typeof value === 'string' ? value : value.join(', ');
}

// RFC 9110 §11.1: scheme names are case-insensitive.
const BEARER = /^bearer(?: +(.*))?$/i;

/**
 * The text after `Bearer` in the Authorization header (RFC 6750 §2.1); undefined for no text or another
 * scheme. Tokens in the body or URL (§2.2, §2.3) are not read, because URLs end up in logs.
 */
export function bearerToken(request: RequestLike): string | undefined {
  const header = headerOf(request, 'authorization');
  if (header === undefined) return undefined;
  const [, token] = BEARER.exec(header.trim()) ?? [];
  return token === '' ? undefined : token;
}
