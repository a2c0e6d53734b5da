import { compactVerify, errors, type CompactJWSHeaderParameters, type CryptoKey } from 'jose';
import type { Algorithm } from './algorithms.ts';
import type { PublicKey } from './public-keys.ts';

/** A header's algorithm, and one or more keys that may have signed. */
export interface Candidates {
  algorithm: Algorithm;
  keys: readonly PublicKey[];
}

export interface Signed {
  payload: Uint8Array;
  /** The key that verified the signature. */
  key: PublicKey;
}

/**
 * Checks a signature with each candidate: keys of a key set may share a key id (RFC 7517 §4.5). `choose`
 * receives the header after jose's checks of `alg` and `crit`.
 */
export function verifySignature(
  jws: string,
  choose: (header: CompactJWSHeaderParameters) => Candidates | Promise<Candidates>,
  allowed: { algorithms: string[] },
): Promise<Signed> {
  let candidates: Candidates | undefined;
  const start = (chosen: Candidates) => {
    candidates = chosen;
    return cryptoKey(chosen, chosen.keys[0]);
  };
  const firstKey = (header: CompactJWSHeaderParameters) => {
    const chosen = choose(header);
    return chosen instanceof Promise ? chosen.then(start) : start(chosen);
  };
  // Not `async`, which would cost an extra microtask per check.
  return compactVerify(jws, firstKey, allowed).then(
    ({ payload }) => ({ payload, key: candidates?.keys[0] as PublicKey }),
    (error: unknown) => tryOthers(jws, candidates, allowed, error),
  );
}

async function tryOthers(
  jws: string,
  candidates: Candidates | undefined,
  allowed: { algorithms: string[] },
  error: unknown,
): Promise<Signed> {
  if (candidates === undefined || !isMismatch(error)) throw error;
  for (const key of candidates.keys.slice(1)) {
    const payload = await payloadSignedBy(await cryptoKey(candidates, key), jws, allowed);
    if (payload !== undefined) return { payload, key };
  }
  throw error;
}

async function payloadSignedBy(
  key: CryptoKey,
  jws: string,
  allowed: { algorithms: string[] },
): Promise<Uint8Array | undefined> {
  try {
    return (await compactVerify(jws, key, allowed)).payload;
  } catch (error) {
    if (isMismatch(error)) return undefined;
    throw error;
  }
}

function cryptoKey({ algorithm }: Candidates, key: PublicKey | undefined): CryptoKey | Promise<CryptoKey> {
  return key?.cryptoKey(algorithm) as CryptoKey | Promise<CryptoKey>;
}

function isMismatch(error: unknown): boolean {
  return error instanceof errors.JWSSignatureVerificationFailed;
}
