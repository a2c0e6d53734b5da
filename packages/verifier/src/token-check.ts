import { errors as jose, type CompactJWSHeaderParameters } from 'jose';
import { checkClaims, type AccessToken, type AnyClaims } from './access-token.ts';
import { Unavailable } from './back-off.ts';
import { isCompactJws } from './compact-jws.ts';
import { sha256Text } from './digest.ts';
import { AccessTokenError, Refusal, type AccessTokenErrorDetails } from './errors.ts';
import { createKeySet, type KeySet } from './key-set.ts';
import { createDiscovery, type Discovery } from './metadata.ts';
import type { PublicKey } from './public-keys.ts';
import { createRevocations, NO_REVOCATIONS, type Revocations } from './revocations.ts';
import { verifySignature, type Candidates } from './signature.ts';
import { createTokenCache } from './token-cache.ts';
import { checkedAlgorithm, kidOf } from './token-header.ts';
import type { CheckedOptions } from './verifier-options.ts';

/** Checks a token without a request. Rejects only with an AccessTokenError. */
export interface TokenCheck<Claims = AnyClaims> {
  verify(token: string): Promise<AccessToken<Claims>>;
  ready(): Promise<void>;
}

interface Verified<Claims> {
  token: AccessToken<Claims>;
  key: PublicKey;
  /** Milliseconds since 1970 (UTC). */
  untilMs: number;
  /** Generation of the revocation list that the token was last checked against. */
  generation: number;
}

export function createTokenCheck<Claims>(
  options: CheckedOptions<Claims>,
  details: AccessTokenErrorDetails,
): TokenCheck<Claims> {
  const { clock } = options;
  const discovery = createDiscovery(options);
  const keySet = createKeySet(options, discovery);
  const revocations = revocationsOf(options, discovery, keySet);
  const cache = createTokenCache<Verified<Claims>>(options.cacheEntriesMax);
  const joseOptions = { algorithms: [...options.algorithms] };

  /** Not `async`, so that a cached token costs only one microtask. */
  function verify(token: string): Promise<AccessToken<Claims>> {
    try {
      if (typeof token !== 'string') throw new Refusal('malformed', 'It is not a text.');
      // Checked first, because later steps take time per character.
      if (token.length > options.tokenLengthMax) {
        throw new Refusal('too_long', `It has more than ${options.tokenLengthMax} characters.`);
      }
      const digest = sha256Text(token);
      if (typeof digest !== 'string') return digest.then((text) => verifyDigested(token, text));
      return verifyDigested(token, digest);
    } catch (error) {
      return Promise.reject(accessTokenError(error, details));
    }
  }

  function verifyDigested(token: string, digest: string): Promise<AccessToken<Claims>> {
    const entry = cache.get(digest);
    if (entry === undefined) return verifyFresh(token, digest);
    const nowMs = clock();
    const isCurrent =
      keySet.isFresh(nowMs) &&
      revocations.isFresh(nowMs) &&
      entry.generation === revocations.generation() &&
      isStillGood(entry, nowMs);
    return isCurrent ? Promise.resolve(entry.token) : renewAndRecall(entry, token, digest);
  }

  /** Returns a cached token, after a refresh of keys and revocations. */
  async function renewAndRecall(
    entry: Verified<Claims>,
    token: string,
    digest: string,
  ): Promise<AccessToken<Claims>> {
    try {
      if (!keySet.isFresh(clock())) await keySet.ready();
      if (!revocations.isFresh(clock())) await revocations.ready();
      const comparing = refuseRevoked(entry);
      if (comparing !== undefined) await comparing;
      if (isStillGood(entry, clock())) return entry.token;
    } catch (error) {
      throw accessTokenError(error, details);
    }
    cache.delete(digest);
    return await verifyFresh(token, digest);
  }

  /** Throws for a revoked token. Returns undefined if a synchronous digest has decided. */
  function refuseRevoked(entry: Verified<Claims>): Promise<void> | undefined {
    const generation = revocations.generation();
    if (entry.generation === generation) return undefined;
    const conclude = (isRevoked: boolean): void => {
      if (isRevoked) throw new Refusal('revoked', 'It was revoked.', entry.token.clientId);
      entry.generation = generation;
    };
    const isRevoked = revocations.includes(entry.token);
    if (typeof isRevoked !== 'boolean') return isRevoked.then(conclude);
    conclude(isRevoked);
    return undefined;
  }

  async function verifyFresh(token: string, digest: string): Promise<AccessToken<Claims>> {
    try {
      if (!isCompactJws(token)) throw new Refusal('malformed', 'It is not a signed JWT.');
      const arrival = keySet.arrival();
      if (!keySet.isFresh(clock())) await keySet.ready();
      const { payload, key } = await verifySignature(token, candidatesIn(keySet, arrival), joseOptions);
      if (!revocations.isFresh(clock())) await revocations.ready();
      const nowMs = clock();
      const verified = checkClaims(payload, options, Math.floor(nowMs / 1000));
      const entry = { token: verified, key, untilMs: verified.expiresAt * 1000, generation: NaN };
      const comparing = refuseRevoked(entry);
      if (comparing !== undefined) await comparing;
      if (isStillGood(entry, nowMs)) cache.set(digest, entry);
      return verified;
    } catch (error) {
      throw accessTokenError(error, details);
    }
  }

  return {
    verify,
    async ready() {
      try {
        await keySet.ready();
        if (!revocations.isFresh(clock())) await revocations.ready();
      } catch (error) {
        throw accessTokenError(error, details);
      }
    },
  };
}

function isStillGood({ key, untilMs }: Pick<Verified<unknown>, 'key' | 'untilMs'>, nowMs: number): boolean {
  return key.live && nowMs < untilMs;
}

/** Chooses the keys for the header of a token that arrived at `arrival`. */
function candidatesIn(keySet: KeySet, arrival: ReturnType<KeySet['arrival']>) {
  return (header: CompactJWSHeaderParameters): Candidates | Promise<Candidates> => {
    const kid = kidOf(header);
    const algorithm = checkedAlgorithm(header);
    const keys = keySet.candidates(kid, algorithm);
    if (keys.length > 0) return { algorithm, keys };
    return keySet.find(kid, algorithm, arrival).then((fetched) => ({ algorithm, keys: fetched }));
  };
}

function revocationsOf(
  options: Omit<CheckedOptions, 'claims'>,
  discovery: Discovery,
  keySet: KeySet,
): Revocations {
  const { revocations } = options;
  if (revocations === null) return NO_REVOCATIONS;
  const listUrl = async () => revocations.url ?? (await discovery.get()).revocationListUrl;
  return createRevocations(listUrl, keySet, revocations, options);
}

/** jose's errors quote their input. Our errors show only signed claims, escaped and cut. */
function accessTokenError(error: unknown, details: AccessTokenErrorDetails): AccessTokenError {
  // From the second check of a cached token.
  if (error instanceof AccessTokenError) return error;
  if (error instanceof Unavailable) {
    const { reason, message, retryAfterSeconds, cause } = error;
    return new AccessTokenError('authorization-unavailable', reason, message, { retryAfterSeconds, cause });
  }
  const { reason, message, clientId } = error instanceof Refusal ? error : refusalOf(error);
  const code = reason === 'expired' ? 'authorization-token-expired' : 'authorization-token-invalid';
  return new AccessTokenError(code, reason, `The access token is refused. ${message}`, {
    ...details,
    clientId,
  });
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
