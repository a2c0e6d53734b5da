import { fetchJson, type FetchLimits } from './fetch-json.ts';

/**
 * The URL of the key set of an issuer, from its metadata: at the URL of RFC 8414 §3, else at that of OpenID Connect, which
 * RFC 8414 §5 allows for. Throws where there is none that is of this issuer.
 */
export async function discoverJwksUrl(
  issuer: string,
  insecure: boolean,
  limits: FetchLimits,
): Promise<string> {
  for (const url of metadataUrls(issuer)) {
    const { status, body } = await fetchJson(url, {}, limits);
    if (status === 404) continue;
    if (status !== 200) throw new Error(`GET ${url} answered with status ${status}.`);
    const metadata = body as { issuer?: unknown; jwks_uri?: unknown } | null;
    // RFC 8414 §3.3: or the metadata of another issuer could be passed off as this one's.
    if (metadata?.issuer !== issuer) {
      throw new Error(`The metadata at ${url} is of another issuer than ${issuer}.`);
    }
    if (typeof metadata.jwks_uri !== 'string') throw new Error(`The metadata at ${url} has no jwks_uri.`);
    return checkedUrl('jwks_uri', metadata.jwks_uri, insecure);
  }
  throw new Error(`The issuer ${issuer} has no metadata: give the option jwksUrl.`);
}

function metadataUrls(issuer: string): string[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname === '/' ? '' : pathname.replace(/\/$/, '');
  return [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}${path}/.well-known/openid-configuration`,
  ];
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** Keys that come over plain HTTP are whoever's is in between: only on this machine, or where it is asked for. */
export function checkedUrl(name: string, value: string, insecure: boolean): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw new TypeError(`${name}: ${JSON.stringify(value)} is not an http or https URL without credentials.`);
  }
  if (url.protocol === 'http:' && !insecure && !LOOPBACK.test(url.hostname)) {
    throw new TypeError(
      `${name}: ${JSON.stringify(value)} is not https. Keys fetched from it could be replaced on the way: use https, or ` +
        'say insecureHttp: true in a network that you trust.',
    );
  }
  return value;
}
