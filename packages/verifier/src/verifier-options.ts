import { ALGORITHMS, DEFAULT_ALGORITHMS, isAlgorithm, type Algorithm } from './algorithms.ts';
import type { ExpectedClaims } from './access-token.ts';
import type { Fetch } from './fetch-json.ts';
import type { KeySetOptions } from './key-set.ts';
import { checkedUrl } from './metadata.ts';
import { quoted } from './quoted.ts';
import type { RevocationsOptions } from './revocations.ts';
import type { TokenRefusal } from './token-refusal.ts';

export interface VerifierOptions {
  /** The `iss` of the tokens, exactly as it stands in them. */
  issuer: string;
  /** The identifier of this API: a token must be for it, or for one of several. */
  audience: string | readonly string[];
  /** Algorithms to allow. Default: ES256, EdDSA, RS256. */
  algorithms?: readonly Algorithm[] | undefined;
  /** Where the key set is. Default: found through the metadata of the issuer (RFC 8414). */
  jwksUrl?: string | undefined;
  /**
   * The revocation list of the issuer; `false`: tokens are good until they expire. Default: the list that the metadata of
   * the issuer names, if it names one. With `jwksUrl` no metadata is read, and there is a list only where its `url` is given.
   */
  revocations?: false | RevocationListOptions | undefined;
  /** By how much the clocks of issuer and verifier may differ, in seconds. Default 60, at most 600. */
  clockSkewSeconds?: number | undefined;
  /** How long keys are used past their life while the issuer cannot be reached, in seconds. Default 3600. */
  staleKeysSeconds?: number | undefined;
  /** The longest token that is looked at, in characters. Default 8192. */
  tokenLengthMax?: number | undefined;
  /** How many verified tokens are remembered; 0: none. Default 10000. */
  cacheEntriesMax?: number | undefined;
  /** How long a fetch of the key set may take, in milliseconds. Default 5000. */
  fetchTimeoutMs?: number | undefined;
  /** Allows issuers and key sets on other machines without TLS. Default false. */
  insecureHttp?: boolean | undefined;
  /** The URL of this API's protected-resource metadata (RFC 9728), to be named in `WWW-Authenticate`. */
  resourceMetadataUrl?: string | undefined;
  /**
   * Is given each refusal of a token or request, for logs and metrics, before the caller is answered. It is not waited for, and
   * what it throws is ignored. Strangers decide how often it is called: count, and log a sample.
   */
  onRefused?: ((refusal: TokenRefusal) => void) | undefined;
  /** Told of each failed fetch of the key set or the revocation list, for the log; what it throws is ignored. */
  onKeySetFailure?: ((error: unknown) => void) | undefined;
  /** Default: the global fetch. */
  fetch?: Fetch | undefined;
  /** Milliseconds since 1970 (UTC). Default: Date.now. */
  clock?: (() => number) | undefined;
}

export interface RevocationListOptions {
  /** Where the list is. Default: found through the metadata of the issuer. */
  url?: string | undefined;
  /** How often it is asked for, in seconds; one twice as old is renewed before it is used. Default 5, at most 3600. */
  pollSeconds?: number | undefined;
  /** How old it may be while none can be had, in seconds. Default 900. */
  staleSeconds?: number | undefined;
  /** What happens then: tokens are refused with 503 (`refuse`, the default), or go on being accepted. */
  onStale?: 'refuse' | 'accept' | undefined;
  /** The longest list that is read, in bytes. Default 16777216: some 700,000 entries. */
  listBytesMax?: number | undefined;
}

export interface CheckedOptions extends KeySetOptions, ExpectedClaims {
  algorithms: readonly Algorithm[];
  tokenLengthMax: number;
  cacheEntriesMax: number;
  resourceMetadataUrl: string | undefined;
  onRefused: ((refusal: TokenRefusal) => void) | undefined;
  /** Null: none. */
  revocations: (RevocationsOptions & { url: string | undefined }) | null;
}

/** Every default and limit of the verifier. Throws a TypeError for an option that cannot be meant so. */
export function checkedOptions(given: VerifierOptions): CheckedOptions {
  const insecureHttp = given.insecureHttp ?? false;
  const { resourceMetadataUrl, onKeySetFailure, onRefused } = given;
  if (resourceMetadataUrl !== undefined) quotable('resourceMetadataUrl', resourceMetadataUrl);
  return Object.freeze({
    issuer: checkedUrl('issuer', given.issuer, insecureHttp),
    audiences: audiencesOf(given.audience),
    algorithms: algorithmsOf(given.algorithms ?? DEFAULT_ALGORITHMS),
    jwksUrl: given.jwksUrl === undefined ? undefined : checkedUrl('jwksUrl', given.jwksUrl, insecureHttp),
    clockSkewSeconds: whole('clockSkewSeconds', given.clockSkewSeconds ?? 60, 0, 600),
    staleKeysSeconds: whole('staleKeysSeconds', given.staleKeysSeconds ?? 3600, 0, 86_400),
    tokenLengthMax: whole('tokenLengthMax', given.tokenLengthMax ?? 8192, 256, 65_536),
    cacheEntriesMax: whole('cacheEntriesMax', given.cacheEntriesMax ?? 10_000, 0, 10_000_000),
    timeoutMs: whole('fetchTimeoutMs', given.fetchTimeoutMs ?? 5000, 10, 60_000),
    revocations: revocationsOf(given, insecureHttp),
    insecureHttp,
    resourceMetadataUrl,
    fetch: given.fetch ?? ((url, init) => globalThis.fetch(url, init)),
    clock: given.clock ?? Date.now,
    onFailure: onKeySetFailure === undefined ? () => {} : harmless(onKeySetFailure),
    onRefused: onRefused && harmless(onRefused),
  } satisfies CheckedOptions);
}

/** A hook that throws or rejects, such as a logger that fails, must not take the API down. */
function harmless<T>(hook: (fact: T) => void): (fact: T) => void {
  return (fact) => void (async () => hook(fact))().catch(() => {});
}

function revocationsOf(given: VerifierOptions, insecureHttp: boolean): CheckedOptions['revocations'] {
  const { revocations: asked = given.jwksUrl === undefined ? {} : false } = given;
  if (asked === false) return null;
  const { url, pollSeconds = 5, staleSeconds = 900, onStale = 'refuse', listBytesMax = 16_777_216 } = asked;
  if (url === undefined && given.jwksUrl !== undefined) {
    throw new TypeError(
      'revocations.url: with jwksUrl no metadata is read: say where the revocation list is.',
    );
  }
  if (onStale !== 'refuse' && onStale !== 'accept') {
    throw new TypeError(`revocations.onStale: ${JSON.stringify(onStale)} is neither refuse nor accept.`);
  }
  return {
    url: url === undefined ? undefined : checkedUrl('revocations.url', url, insecureHttp),
    pollSeconds: whole('revocations.pollSeconds', pollSeconds, 1, 3600),
    staleSeconds: whole('revocations.staleSeconds', staleSeconds, 10, 86_400),
    onStale,
    listBytesMax: whole('revocations.listBytesMax', listBytesMax, 1024, 1_073_741_824),
  };
}

function audiencesOf(audience: string | readonly string[]): readonly string[] {
  const audiences = typeof audience === 'string' ? [audience] : audience;
  const good = Array.isArray(audiences) && audiences.length > 0;
  if (!good || !audiences.every((one) => typeof one === 'string' && one !== '')) {
    throw new TypeError(
      'audience: say which API this is, as a text or a list of texts. Without it, tokens for any other API would do.',
    );
  }
  const bad = audiences.find((one) => /\p{Cc}/u.test(one));
  if (bad !== undefined) throw new TypeError(`audience: ${quoted(bad)} has a control character.`);
  return [...audiences];
}

function algorithmsOf(algorithms: readonly Algorithm[]): readonly Algorithm[] {
  const bad = algorithms.find((one) => !isAlgorithm(one));
  if (bad !== undefined || algorithms.length === 0) {
    throw new TypeError(
      `algorithms: ${JSON.stringify(bad ?? [])} cannot be allowed. There are: ${ALGORITHMS.join(', ')}.`,
    );
  }
  return algorithms;
}

function whole(name: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new TypeError(`${name}: ${String(value)} is not a whole number from ${min} to ${max}.`);
  }
  return value;
}

/** For a quoted string in a header. */
function quotable(name: string, value: string): void {
  if (!/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(value) || !URL.canParse(value)) {
    throw new TypeError(`${name}: ${quoted(value)} is not a URL.`);
  }
}
