import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import type { Logger } from 'pino';
import {
  accessTokenSigner,
  jwtSigner,
  type AccessTokenSigner,
  type JwtSigner,
} from '../domain/access-token.ts';
import type { VerifyingKey } from '../domain/read-access-token.ts';
import { activeKey, publishedKeys, signingKeyState, type SigningKeyState } from '../domain/signing-key.ts';
import type { MasterKey } from '../storage/master-key.ts';
import { privateKeyOf, readProvenKeys } from '../storage/signing-key-proof.ts';
import type { SealedSigningKey } from '../storage/tables/signing-key.ts';
import type { Store } from '../storage/store.ts';

/**
 * The signing keys of this process. The clock decides for each signature which key signs, so no timer has to
 * fire on time.
 */
export interface Keyring {
  /** Reads the keys from the store, and decrypts those that are not removed. */
  reload(): Promise<void>;
  /** Undefined if no key is active, or the active one cannot be decrypted. */
  signer(nowMs: number): AccessTokenSigner | undefined;
  /** Signs statements about the revocation list; undefined whenever `signer` is. */
  statementSigner(nowMs: number): JwtSigner | undefined;
  canSign(nowMs: number): boolean;
  /** The number of keys in each state. Keys without a valid proof count as `unproven` only. */
  states(nowMs: number): Record<SigningKeyState | 'unproven', number>;
  /** The key with this id while it is published, otherwise undefined. */
  verifyingKey(kid: string, nowMs: number): VerifyingKey | undefined;
  /** The key set that verifiers read (RFC 7517 §5). */
  jwks(nowMs: number): Jwks;
}

export interface Jwks {
  body: string;
  etag: string;
}

interface Signers {
  accessToken: AccessTokenSigner;
  statement: JwtSigner;
}

interface Current extends Signers {
  /** This key signs until then; afterwards another key may. */
  untilMs: number;
}

/**
 * The keyring logs a key that cannot be decrypted or has no valid proof, and signs with the others. It keeps
 * and publishes a key until the key has ended by `earlier`, a clock that is not ahead (clock-watch.ts).
 */
export function createKeyring(
  store: Pick<Store, 'signingKeys' | 'meta'>,
  masterKey: MasterKey,
  log: Pick<Logger, 'error'>,
  earlier: () => number = Date.now,
): Keyring {
  let unproven = 0;
  let keys: readonly SealedSigningKey[] = [];
  let signers = new Map<string, Signers>();
  let publicKeys = new Map<string, KeyObject>();
  let current: Current | undefined;
  let published: { kids: string; jwks: Jwks } | undefined;

  function publishedAt(nowMs: number): readonly SealedSigningKey[] {
    return publishedKeys(keys, Math.min(nowMs, earlier()));
  }

  function currentAt(nowMs: number): Current | undefined {
    const active = activeKey(keys, nowMs);
    const activeSigners = active && signers.get(active.kid);
    if (activeSigners === undefined) return undefined;
    const turns = keys.flatMap((key) => [key.activatesAt, key.retiresAt ?? Number.POSITIVE_INFINITY]);
    return { ...activeSigners, untilMs: Math.min(...turns.filter((turn) => turn > nowMs)) };
  }

  function currentNow(nowMs: number): Current | undefined {
    if (current === undefined || nowMs >= current.untilMs) current = currentAt(nowMs);
    return current;
  }

  return {
    async reload() {
      const now = earlier();
      const read = await readProvenKeys(store, masterKey, now);
      keys = read.proven;
      const unusable = read.unproven.filter((key) => signingKeyState(key, now) !== 'removed');
      unproven = unusable.length;
      for (const { kid } of unusable)
        log.error({ kid }, 'a signing key has no valid proof and is not used: see mintmark doctor');
      signers = new Map();
      publicKeys = new Map();
      // Also retired keys: after clocks that were ahead are set back, one of them signs again.
      for (const key of publishedKeys(keys, now)) {
        try {
          signers.set(key.kid, signersOf(key, masterKey));
        } catch {
          // The error is not logged: it could hold decrypted bytes.
          if (signingKeyState(key, now) !== 'retired')
            log.error({ kid: key.kid }, 'a signing key cannot be decrypted: see mintmark doctor');
        }
      }
      current = undefined;
      published = undefined;
    },
    signer: (nowMs) => currentNow(nowMs)?.accessToken,
    statementSigner: (nowMs) => currentNow(nowMs)?.statement,
    states(nowMs) {
      const states = { announced: 0, active: 0, retired: 0, removed: 0, unproven };
      for (const key of keys) states[signingKeyState(key, nowMs)] += 1;
      return states;
    },
    canSign: (nowMs) => signers.has(activeKey(keys, nowMs)?.kid ?? ''),
    verifyingKey(kid, nowMs) {
      const key = publishedAt(nowMs).find((one) => one.kid === kid);
      if (key === undefined) return undefined;
      let publicKey = publicKeys.get(kid);
      if (publicKey === undefined) {
        publicKey = createPublicKey({ key: key.publicJwk, format: 'jwk' });
        publicKeys.set(kid, publicKey);
      }
      return { algorithm: key.algorithm, publicKey };
    },
    jwks(nowMs) {
      const shown = publishedAt(nowMs);
      const kids = shown.map((key) => key.kid).join(' ');
      if (published?.kids !== kids) published = { kids, jwks: toJwks(shown) };
      return published.jwks;
    },
  };
}

function signersOf(key: SealedSigningKey, masterKey: MasterKey): Signers {
  const privateKey = privateKeyOf(key, masterKey);
  return {
    accessToken: accessTokenSigner(key.algorithm, key.kid, privateKey),
    statement: jwtSigner(key.algorithm, key.kid, privateKey, STATEMENT_TYPE),
  };
}

/** `typ` of the statements about the revocation list: no API may mistake one for an access token. */
const STATEMENT_TYPE = 'mintmark-revocations+jwt';

function toJwks(keys: readonly SealedSigningKey[]): Jwks {
  const body = JSON.stringify({
    keys: keys.map((key) => ({ ...key.publicJwk, kid: key.kid, alg: key.algorithm, use: 'sig' })),
  });
  return { body, etag: `"${createHash('sha256').update(body).digest('base64url')}"` };
}
