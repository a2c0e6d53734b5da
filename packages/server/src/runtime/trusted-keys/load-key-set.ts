import type { Config } from '../../config/config.ts';
import type { KeySource } from '../../domain/key-source.ts';
import { readJwk } from '../../domain/public-key.ts';
import type { PublicJwk } from '../../domain/trust-rule.ts';
import { httpsUrl, shortened, type Answer, type GuardedGet } from './guarded-get.ts';

/** The keys of a source, as it published them. */
export interface LoadedKeySet {
  keys: readonly PublicJwk[];
  /** Keys that Mintmark cannot use. */
  leftOut: number;
  /** For how long the keys are fresh. */
  lifeMs: number;
}

export type KeyLifeConfig = Pick<
  Config,
  'keyFetchTimeoutMs' | 'keysMax' | 'keyLifeMs' | 'keyLifeMinMs' | 'keyLifeMaxMs'
>;

/** Fetches the keys of a source. Throws an Error with a text for operators. */
export async function loadKeySet(
  source: KeySource,
  get: GuardedGet,
  config: KeyLifeConfig,
): Promise<LoadedKeySet> {
  const signal = AbortSignal.timeout(config.keyFetchTimeoutMs);
  const getInTime = (url: string) => get(url, signal);
  const keySet = 'url' in source ? source.url : await keySetUrl(source.issuer, getInTime);
  const url = httpsUrl(keySet).href;
  const answer = await getInTime(url);
  if (answer.status !== 200) throw new Error(`${url} answered with status ${answer.status}`);
  const { keys } = jsonObject(url, answer);
  if (!Array.isArray(keys)) throw new Error(`${url} answered with JSON without "keys" (RFC 7517 §5)`);
  const fit = fitKeys(keys, config.keysMax);
  if (fit.length === 0) throw new Error(`none of the ${keys.length} keys of ${url} can be used`);
  return { keys: fit, leftOut: keys.length - fit.length, lifeMs: lifeOf(answer, config) };
}

type Get = (url: string) => Promise<Answer>;

/** The URL of an issuer's key set, from OpenID discovery or, without it, from RFC 8414. */
async function keySetUrl(issuer: string, get: Get): Promise<string> {
  const [openId, oauth] = metadataUrls(issuer);
  let url = openId;
  let answer = await get(openId);
  if (answer.status !== 200) {
    const openIdStatus = answer.status;
    url = oauth;
    answer = await get(oauth);
    if (answer.status !== 200)
      throw new Error(
        `${openId} answered with status ${openIdStatus}, and ${oauth} with status ${answer.status}`,
      );
  }
  const { issuer: named, jwks_uri: jwksUri } = jsonObject(url, answer);
  if (named !== issuer)
    throw new Error(`${url} names the issuer ${shown(named)} instead of ${shortened(issuer)}`);
  if (typeof jwksUri !== 'string') throw new Error(`${url} names no key set ("jwks_uri")`);
  return jwksUri;
}

/** OpenID Connect Discovery §4, RFC 8414 §3.1. */
function metadataUrls(issuer: string): readonly [string, string] {
  const url = httpsUrl(issuer);
  if (url.search !== '' || url.hash !== '')
    throw new Error(`the issuer ${shortened(issuer)} has a query or a fragment`);
  const path = url.pathname.replace(/\/$/, '');
  return [
    `${url.origin}${path}/.well-known/openid-configuration`,
    `${url.origin}/.well-known/oauth-authorization-server${path}`,
  ];
}

function jsonObject(url: string, { headers, text }: Answer): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error(
      `${url} answered with ${shortened(headers['content-type'] ?? 'a text')}, which is not JSON`,
    );
  }
  if (typeof value !== 'object' || value === null) throw new Error(`${url} answered with no JSON object`);
  return value as Readonly<Record<string, unknown>>;
}

function fitKeys(keys: readonly unknown[], max: number): PublicJwk[] {
  const fit: PublicJwk[] = [];
  for (const key of keys) {
    const result = fit.length < max ? readJwk(key) : [];
    if (!Array.isArray(result)) fit.push(result.jwk);
  }
  return fit;
}

/** The freshness lifetime of the answer (RFC 9111 §4.2), within our bounds. */
function lifeOf({ headers }: Answer, { keyLifeMs, keyLifeMinMs, keyLifeMaxMs }: KeyLifeConfig): number {
  const cacheControl = headers['cache-control'] ?? '';
  if (/\bno-(store|cache)\b/i.test(cacheControl)) return keyLifeMinMs;
  const [, maxAge] = /\bmax-age="?(\d{1,9})/i.exec(cacheControl) ?? [];
  if (maxAge === undefined) return keyLifeMs;
  const age = /^\d{1,9}$/.exec(headers.age ?? '')?.[0] ?? '0';
  return Math.min(keyLifeMaxMs, Math.max(keyLifeMinMs, (Number(maxAge) - Number(age)) * 1000));
}

/** An issuer that another server sent, for an error text. */
function shown(value: unknown): string {
  return typeof value === 'string' ? shortened(value) : '(none)';
}
