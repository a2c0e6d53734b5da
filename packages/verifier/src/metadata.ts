import { fetchJson, type FetchLimits } from './fetch-json.ts';
import { quoted } from './quoted.ts';

/** The URLs of an issuer's key set and revocation list. */
export interface Discovered {
  jwksUrl: string;
  /** Undefined if the issuer has no revocation list. */
  revocationListUrl: string | undefined;
}

export interface Discovery {
  /** Callers share one fetch, kept for an hour. Throws if the issuer has no valid metadata. */
  get(): Promise<Discovered>;
  /** The URLs may have changed: the next `get` fetches the metadata. */
  forget(): void;
}

export interface DiscoveryOptions extends FetchLimits {
  issuer: string;
  insecureHttp: boolean;
  clock: () => number;
}

const METADATA_LIFE_MS = 3_600_000;

export function createDiscovery(options: DiscoveryOptions): Discovery {
  let kept: { discovered: Promise<Discovered>; untilMs: number } | undefined;
  return {
    get() {
      const nowMs = options.clock();
      if (kept !== undefined && nowMs < kept.untilMs) return kept.discovered;
      const discovered = discover(options.issuer, options.insecureHttp, options);
      const mine = { discovered, untilMs: nowMs + METADATA_LIFE_MS };
      kept = mine;
      discovered.catch(() => {
        if (kept === mine) kept = undefined;
      });
      return discovered;
    },
    forget() {
      kept = undefined;
    },
  };
}

/** Reads the metadata at the URL of RFC 8414 §3, else at OpenID Connect's, which RFC 8414 §5 allows. */
async function discover(issuer: string, insecure: boolean, limits: FetchLimits): Promise<Discovered> {
  for (const url of metadataUrls(issuer)) {
    const { status, body } = await fetchJson(url, {}, limits);
    if (status === 404) continue;
    if (status !== 200) throw new Error(`GET ${url} answered with status ${status}.`);
    const metadata = body as Record<string, unknown> | null;
    // RFC 8414 §3.3: prevents one issuer's metadata from being used as another's.
    const published = metadata?.['issuer'];
    if (metadata === null || published !== issuer) {
      throw new Error(
        `The metadata at ${url} is of another issuer: ${quoted(published)}, not ${quoted(issuer)}.`,
      );
    }
    if (typeof metadata['jwks_uri'] !== 'string') throw new Error(`The metadata at ${url} has no jwks_uri.`);
    const list = metadata['revocation_list_uri'];
    return {
      jwksUrl: checkedUrl('jwks_uri', metadata['jwks_uri'], insecure),
      revocationListUrl:
        typeof list === 'string' ? checkedUrl('revocation_list_uri', list, insecure) : undefined,
    };
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

/** Keys fetched over plain HTTP could be replaced: requires https, loopback or `insecureHttp`. */
export function checkedUrl(name: string, value: string, insecure: boolean): string {
  // The URL parser drops or encodes spaces and control characters, so text and fetched URL would differ.
  const url = !/[\s\p{Cc}]/u.test(value) && URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw new TypeError(
      `${name}: ${quoted(value)} is not an http or https URL without credentials and spaces.`,
    );
  }
  if (url.protocol === 'http:' && !insecure && !LOOPBACK.test(url.hostname)) {
    throw new TypeError(
      `${name}: ${quoted(value)} is not https. Keys fetched from it could be replaced on the way: use https, or ` +
        'say insecureHttp: true in a network that you trust.',
    );
  }
  return value;
}
