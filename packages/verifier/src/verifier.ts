import { compactVerify, errors as jose, type CompactJWSHeaderParameters } from 'jose';
import { checkClaims, type AccessToken } from './access-token.ts';
import { isAlgorithm, type Algorithm } from './algorithms.ts';
import { Unavailable } from './back-off.ts';
import { bearerToken, type RequestLike } from './bearer.ts';
import { isCompactJws } from './compact-jws.ts';
import { AccessTokenError, Refusal, type AccessTokenErrorDetails } from './errors.ts';
import { createKeySet, type KeySet } from './key-set.ts';
import { createDiscovery, type Discovery } from './metadata.ts';
import type { PublicKey } from './public-keys.ts';
import { createRevocations, NO_REVOCATIONS, type Revocations } from './revocations.ts';
import { requiredScopes } from './scopes.ts';
import { createTokenCache, tokenDigest } from './token-cache.ts';
import { checkedOptions, type CheckedOptions, type VerifierOptions } from './verifier-options.ts';

export interface Requirements {
  /** Scopes that the token must have, all of them: a list, or a text with spaces between them. */
  scope?: string | readonly string[] | undefined;
}

export interface Verifier {
  /** Checks a token. Rejects with an AccessTokenError, and with nothing else. */
  verify(token: string): Promise<AccessToken>;
  /** Checks the token in the Authorization header of a request, and its scopes. Rejects with an AccessTokenError. */
  verifyRequest(request: RequestLike, requirements?: Requirements): Promise<AccessToken>;
  /** Fetches the keys and the revocation list where there are none yet, so that the first request need not wait. Rejects with an AccessTokenError. */
  ready(): Promise<void>;
}

interface Verified {
  token: AccessToken;
  key: PublicKey;
  /** Milliseconds since 1970 (UTC). */
  untilMs: number;
  /** The revocation list that it was last looked for in. */
  generation: number;
}

export function createVerifier(given: VerifierOptions): Verifier {
  const options = checkedOptions(given);
  const { clock } = options;
  const discovery = createDiscovery(options);
  const keySet = createKeySet(options, discovery);
  const revocations = revocationsOf(options, discovery, keySet);
  const cache = createTokenCache<Verified>(options.cacheEntriesMax);
  const details: AccessTokenErrorDetails =
    options.resourceMetadataUrl === undefined ? {} : { resourceMetadataUrl: options.resourceMetadataUrl };
  const joseOptions = { algorithms: [...options.algorithms] };

  /** Without `async`: what is remembered and needs nobody to be asked, and what is fresh, is not waited for twice. */
  function verify(token: string): Promise<AccessToken> {
    try {
      if (typeof token !== 'string') throw new Refusal('malformed', 'It is not a text.');
      // Before anything else reads it: what comes next costs time with each character.
      if (token.length > options.tokenLengthMax) {
        throw new Refusal('too_long', `It has more than ${options.tokenLengthMax} characters.`);
      }
      const digest = tokenDigest(token);
      const known = cache.get(digest);
      if (known === undefined) return verifyFresh(token, digest);
      const nowMs = clock();
      const asked = keySet.isFresh(nowMs) && revocations.isFresh(nowMs);
      return asked ? recall(known, token, digest, nowMs) : renewAndRecall(known, token, digest);
    } catch (error) {
      return Promise.reject(accessTokenError(error, details));
    }
  }

  async function renewAndRecall(known: Verified, token: string, digest: string): Promise<AccessToken> {
    try {
      if (!keySet.isFresh(clock())) await keySet.ready();
      if (!revocations.isFresh(clock())) await revocations.ready();
      return await recall(known, token, digest, clock());
    } catch (error) {
      throw accessTokenError(error, details);
    }
  }

  /** A token that was verified before, with keys and revocations of now. */
  function recall(known: Verified, token: string, digest: string, nowMs: number): Promise<AccessToken> {
    if (known.generation !== revocations.generation()) {
      refuseRevoked(known.token);
      known.generation = revocations.generation();
    }
    if (known.key.live && nowMs < known.untilMs) return Promise.resolve(known.token);
    cache.delete(digest);
    return verifyFresh(token, digest);
  }

  async function verifyFresh(token: string, digest: string): Promise<AccessToken> {
    try {
      if (!isCompactJws(token)) throw new Refusal('malformed', 'It is not a signed JWT.');
      const arrival = keySet.arrival();
      if (!keySet.isFresh(clock())) await keySet.ready();
      let key: PublicKey | undefined;
      const find = async (kid: string | undefined, algorithm: Algorithm) => {
        key = await keySet.find(kid, algorithm, arrival);
        return await key.cryptoKey(algorithm);
      };
      // jose parses the header once, and asks for the key after it has looked at `alg` and `crit`.
      const { payload } = await compactVerify(
        token,
        (header: CompactJWSHeaderParameters) => {
          const kid = kidOf(header);
          const algorithm = checkedAlgorithm(header);
          key = keySet.known(kid, algorithm);
          return key === undefined ? find(kid, algorithm) : key.cryptoKey(algorithm);
        },
        joseOptions,
      );
      if (!revocations.isFresh(clock())) await revocations.ready();
      const nowMs = clock();
      const verified = checkClaims(payload, options, Math.floor(nowMs / 1000));
      refuseRevoked(verified);
      const untilMs = verified.expiresAt * 1000;
      const generation = revocations.generation();
      if (key?.live === true && nowMs < untilMs)
        cache.set(digest, { token: verified, key, untilMs, generation });
      return verified;
    } catch (error) {
      throw accessTokenError(error, details);
    }
  }

  function refuseRevoked(token: AccessToken): void {
    if (revocations.includes(token)) throw new Refusal('revoked', 'It was revoked.');
  }

  return Object.freeze({
    verify,
    async verifyRequest(request: RequestLike, requirements: Requirements = {}) {
      const wanted = requiredScopes(requirements.scope);
      const token = bearerToken(request);
      if (token === undefined) {
        const message = 'The request has no Authorization header with the scheme Bearer.';
        throw new AccessTokenError('authorization-token-missing', 'missing', message, details);
      }
      const verified = await verify(token);
      const missing = wanted.filter((scope) => !verified.scopes.has(scope));
      if (missing.length > 0) {
        const message = `The access token of ${verified.clientId} lacks the scope ${missing.join(' ')}.`;
        const scope = wanted.join(' ');
        throw new AccessTokenError('insufficient_scope', 'scope', message, { ...details, scope });
      }
      return verified;
    },
    async ready() {
      try {
        await keySet.ready();
        if (!revocations.isFresh(clock())) await revocations.ready();
      } catch (error) {
        throw accessTokenError(error, details);
      }
    },
  });
}

function revocationsOf(options: CheckedOptions, discovery: Discovery, keySet: KeySet): Revocations {
  const { revocations } = options;
  if (revocations === null) return NO_REVOCATIONS;
  const listUrl = async () => revocations.url ?? (await discovery.get()).revocationListUrl;
  return createRevocations(listUrl, keySet, revocations, options);
}

const KID_LENGTH_MAX = 256;
/** RFC 7515 §4.1.2–4.1.6: members by which a header brings or points at the key that it wants to be checked with. */
const KEYS_IN_HEADER = ['jku', 'jwk', 'x5u', 'x5c'] as const;

function checkedAlgorithm(header: CompactJWSHeaderParameters): Algorithm {
  const { alg } = header;
  // RFC 9068 §4: the type is compared without regard to case, with or without "application/" (RFC 7515 §4.1.9).
  if (typeof header.typ !== 'string' || !/^(application\/)?at\+jwt$/i.test(header.typ)) {
    throw new Refusal('type', 'Its typ is not at+jwt: it is not an access token.');
  }
  // Also the extensions that jose knows: an access token has none that must be understood.
  if (Object.hasOwn(header, 'crit') || Object.hasOwn(header, 'b64')) {
    throw new Refusal('critical_header', 'Its header asks for extensions.');
  }
  if (KEYS_IN_HEADER.some((name) => Object.hasOwn(header, name))) {
    throw new Refusal('key_in_header', 'Its header brings a key or points at one.');
  }
  if (!isAlgorithm(alg)) throw new Refusal('algorithm', 'Its algorithm is not allowed.');
  return alg;
}

function kidOf({ kid }: CompactJWSHeaderParameters): string | undefined {
  if (kid === undefined) return undefined;
  if (typeof kid !== 'string' || kid.length > KID_LENGTH_MAX) {
    throw new Refusal('malformed', `Its kid is not a text of at most ${KID_LENGTH_MAX} characters.`);
  }
  return kid;
}

/** What is thrown says nothing that came from the token but the reason: not even what jose's errors quote. */
function accessTokenError(error: unknown, details: AccessTokenErrorDetails): AccessTokenError {
  // Of a remembered token that had to be verified again.
  if (error instanceof AccessTokenError) return error;
  if (error instanceof Unavailable) {
    const { reason, message, retryAfterSeconds, cause } = error;
    return new AccessTokenError('authorization-unavailable', reason, message, { retryAfterSeconds, cause });
  }
  const { reason, message } = error instanceof Refusal ? error : refusalOf(error);
  const code = reason === 'expired' ? 'authorization-token-expired' : 'authorization-token-invalid';
  return new AccessTokenError(code, reason, `The access token is refused. ${message}`, details);
}

function refusalOf(error: unknown): Refusal {
  if (error instanceof jose.JOSEAlgNotAllowed)
    return new Refusal('algorithm', 'Its algorithm is not allowed.');
  if (error instanceof jose.JOSENotSupported) {
    return new Refusal('critical_header', 'Its header asks for extensions.');
  }
  if (error instanceof jose.JWSInvalid) return new Refusal('malformed', 'It is not a signed JWT.');
  return new Refusal('signature', 'Its signature is wrong.');
}
