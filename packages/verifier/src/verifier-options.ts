import { ALGORITHMS, DEFAULT_ALGORITHMS, isAlgorithm, type Algorithm } from './algorithms.ts';
import type { AnyClaims, ExpectedClaims } from './access-token.ts';
import type { Fetch } from './fetch-json.ts';
import type { KeySetOptions } from './key-set.ts';
import { checkedUrl } from './metadata.ts';
import { quoted } from './quoted.ts';
import type { RevocationsOptions } from './revocations.ts';
import type { TokenRefusal } from './token-refusal.ts';

export interface VerifierOptions<Claims = AnyClaims> {
  /** The exact `iss` of the tokens. */
  issuer: string;
  /** The identifier of this API, or a list of them: a token's audience must include one. */
  audience: string | readonly string[];
  /**
   * Checks the claims of each token, and returns them with their type, such as zod's `schema.parse`. A token
   * is refused if it throws. Called once for each token in the cache. Default: the claims as they are.
   */
  claims?: ((claims: AnyClaims) => Claims) | undefined;
  /** Allowed algorithms. Default: ES256, EdDSA, RS256. */
  algorithms?: readonly Algorithm[] | undefined;
  /** URL of the key set. Default: taken from the issuer's metadata (RFC 8414). */
  jwksUrl?: string | undefined;
  /**
   * The issuer's revocation list; `false`: tokens are valid until they expire. Default: the list in the
   * issuer's metadata, if any. With `jwksUrl` no metadata is read, so a list needs its `url`.
   */
  revocations?: false | RevocationListOptions | undefined;
  /** Maximum difference between the clocks of issuer and verifier, in seconds. Default 60, at most 600. */
  clockSkewSeconds?: number | undefined;
  /** How long expired keys may be used while the issuer is unreachable, in seconds. Default 3600. */
  staleKeysSeconds?: number | undefined;
  /** The longest accepted token, in characters. Default 8192. */
  tokenLengthMax?: number | undefined;
  /** Maximum number of cached tokens; 0: no cache. Default 10000. */
  cacheEntriesMax?: number | undefined;
  /** Timeout of a fetch of metadata, keys or revocations, in milliseconds. Default 5000. */
  fetchTimeoutMs?: number | undefined;
  /** Allows issuers and key sets on other hosts without TLS. Default false. */
  insecureHttp?: boolean | undefined;
  /** The issuer is a sandbox for tests: true for such an issuer, and for no other. Default false. */
  sandbox?: boolean | undefined;
  /** URL of this API's protected-resource metadata (RFC 9728), shown in `WWW-Authenticate`. */
  resourceMetadataUrl?: string | undefined;
  /**
   * Called with each refused token or request, before the response, for logs and metrics. The verifier does
   * not wait and ignores errors. Anyone can cause calls: count all, log a sample.
   */
  onRefused?: ((refusal: TokenRefusal) => void) | undefined;
  /** Called after each failed fetch of the key set or revocation list, for the log. Errors are ignored. */
  onKeySetFailure?: ((error: unknown) => void) | undefined;
  /** Default: the global fetch. */
  fetch?: Fetch | undefined;
  /** Milliseconds since 1970 (UTC). Default: Date.now. */
  clock?: (() => number) | undefined;
}

export interface RevocationListOptions {
  /** URL of the list. Default: taken from the issuer's metadata. */
  url?: string | undefined;
  /** Seconds between fetches; a list of twice that age is renewed before use. Default 5, at most 3600. */
  pollSeconds?: number | undefined;
  /** Maximum age while the issuer is unreachable, in seconds. Default 900. */
  staleSeconds?: number | undefined;
  /** After `staleSeconds`: `refuse` (default) answers 503, `accept` keeps accepting tokens. */
  onStale?: 'refuse' | 'accept' | undefined;
  /** The largest accepted list, in bytes. Default 16777216: about 700,000 entries. */
  listBytesMax?: number | undefined;
}

export interface CheckedOptions<Claims = AnyClaims> extends KeySetOptions, ExpectedClaims<Claims> {
  algorithms: readonly Algorithm[];
  tokenLengthMax: number;
  cacheEntriesMax: number;
  resourceMetadataUrl: string | undefined;
  onRefused: ((refusal: TokenRefusal) => void) | undefined;
  /** Null: no revocation list. */
  revocations: (RevocationsOptions & { url: string | undefined }) | null;
}

/** All defaults and limits of the verifier. Throws a TypeError for an invalid option. */
export function checkedOptions<Claims>(input: VerifierOptions<Claims>): CheckedOptions<Claims> {
  const insecureHttp = input.insecureHttp ?? false;
  const { resourceMetadataUrl, onKeySetFailure, onRefused } = input;
  if (resourceMetadataUrl !== undefined) quotable('resourceMetadataUrl', resourceMetadataUrl);
  return Object.freeze({
    issuer: issuerOf(input, insecureHttp),
    audiences: audiencesOf(input.audience),
    claims: claimsOf(input.claims),
    algorithms: algorithmsOf(input.algorithms ?? DEFAULT_ALGORITHMS),
    jwksUrl: input.jwksUrl === undefined ? undefined : checkedUrl('jwksUrl', input.jwksUrl, insecureHttp),
    clockSkewSeconds: whole('clockSkewSeconds', input.clockSkewSeconds ?? 60, 0, 600),
    staleKeysSeconds: whole('staleKeysSeconds', input.staleKeysSeconds ?? 3600, 0, 86_400),
    tokenLengthMax: whole('tokenLengthMax', input.tokenLengthMax ?? 8192, 256, 65_536),
    cacheEntriesMax: whole('cacheEntriesMax', input.cacheEntriesMax ?? 10_000, 0, 10_000_000),
    timeoutMs: whole('fetchTimeoutMs', input.fetchTimeoutMs ?? 5000, 10, 60_000),
    revocations: revocationsOf(input, insecureHttp),
    insecureHttp,
    resourceMetadataUrl,
    fetch: input.fetch ?? ((url, init) => globalThis.fetch(url, init)),
    clock: input.clock ?? Date.now,
    onFailure: onKeySetFailure === undefined ? () => {} : harmless(onKeySetFailure),
    onRefused: onRefused && harmless(onRefused),
  } satisfies CheckedOptions<Claims>);
}

function claimsOf<T>(check: T): T {
  if (check === undefined || typeof check === 'function') return check;
  throw new TypeError('claims: it is not a function.');
}

/** The issuers of sandboxes, and no others, have this path or one below it. */
const SANDBOX_PATH = '/mintmark-sandbox';

/** A sandbox gives tokens to everybody: neither its issuer nor the option may reach production alone. */
function issuerOf<Claims>(
  { issuer, sandbox = false }: VerifierOptions<Claims>,
  insecureHttp: boolean,
): string {
  const checked = checkedUrl('issuer', issuer, insecureHttp);
  const isSandbox = `${new URL(checked).pathname}/`.startsWith(`${SANDBOX_PATH}/`);
  if (sandbox === isSandbox) return checked;
  throw new TypeError(
    isSandbox
      ? `issuer: ${quoted(checked)} is a sandbox for tests. Everybody can get any token from it: name the issuer of ` +
          'your platform, or in a test say sandbox: true.'
      : `sandbox: ${quoted(sandbox)} is not for the issuer ${quoted(checked)}: true is only for a sandbox of ` +
          'Mintmark. Leave the option out.',
  );
}

/** Ignores a hook's errors: a failing logger must not take the API down. */
function harmless<T>(hook: (fact: T) => void): (fact: T) => void {
  return (fact) => void (async () => hook(fact))().catch(() => {});
}

function revocationsOf(
  input: Pick<VerifierOptions, 'revocations' | 'jwksUrl'>,
  insecureHttp: boolean,
): CheckedOptions['revocations'] {
  const { revocations: list = input.jwksUrl === undefined ? {} : false } = input;
  if (list === false) return null;
  const { url, pollSeconds = 5, staleSeconds = 900, onStale = 'refuse', listBytesMax = 16_777_216 } = list;
  if (url === undefined && input.jwksUrl !== undefined) {
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

/** Checks a value for a quoted string in a header. */
function quotable(name: string, value: string): void {
  if (!/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(value) || !URL.canParse(value)) {
    throw new TypeError(`${name}: ${quoted(value)} is not a URL.`);
  }
}
