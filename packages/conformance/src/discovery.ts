import { jsonOf, type HttpAnswer, type HttpRequest } from './http-exchange.ts';

/** The metadata of a server (RFC 8414), and their URL. */
export interface Discovery {
  url: string;
  answer: HttpAnswer;
  metadata: Record<string, unknown>;
}

/** The well-known URL with the path inserted between host and path (RFC 8414 §3). */
export function insertedUrl(issuerUrl: string): string {
  const { origin, pathname } = new URL(issuerUrl);
  return `${origin}/.well-known/oauth-authorization-server${pathname === '/' ? '' : pathname}`;
}

/** The URLs of metadata: by RFC 8414, then after the path, then by OpenID Connect Discovery. */
function candidates(issuerUrl: string): string[] {
  const base = issuerUrl.replace(/\/$/, '');
  return [
    insertedUrl(issuerUrl),
    `${base}/.well-known/oauth-authorization-server`,
    `${base}/.well-known/openid-configuration`,
  ];
}

/** The first metadata document of the server; null if it publishes none. */
export async function discover(
  issuerUrl: string,
  send: (request: HttpRequest) => Promise<HttpAnswer>,
): Promise<Discovery | null> {
  for (const url of candidates(issuerUrl)) {
    const answer = await send({ method: 'GET', url, headers: { Accept: 'application/json' } });
    const metadata = answer.status === 200 ? jsonOf(answer) : null;
    if (metadata !== null) return { url, answer, metadata };
  }
  return null;
}
