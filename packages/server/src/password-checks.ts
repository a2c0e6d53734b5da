import { createHmac, randomBytes } from 'node:crypto';
import { usernameKey } from './domain/api-user.ts';
import type { Authentication } from './domain/authenticate.ts';
import { credentialState } from './domain/credential.ts';
import type { Denial } from './domain/denial.ts';
import type { KnownApiUser, KnownPassword } from './domain/known-api-user.ts';
import { NO_PASSWORD, passwordMatches } from './domain/password.ts';
import { createSlots } from './slots.ts';

export interface PasswordCheckSettings {
  passwordChecksMax: number;
  passwordQueueMax: number;
}

type Outcome = Authentication | Denial;

export type PasswordCheck = (
  name: string,
  known: KnownApiUser | undefined,
  password: string,
  nowMs: number,
) => Outcome | Promise<Outcome>;

/** Most passwords that are remembered as verified; beyond that the memory starts anew. */
const VERIFIED_MAX = 10_000;

/**
 * Checks passwords, which are hashed slowly, on the thread pool: a few at a time, a short queue behind them, and 503
 * for the rest. Whatever the client id, a guess costs exactly one slow hash. A password that was verified once is
 * recognised by a keyed digest from then on, until its credential changes.
 */
export function createPasswordCheck(
  settings: PasswordCheckSettings,
  passwordsExist: () => boolean,
): PasswordCheck {
  const processKey = randomBytes(32);
  const verified = new Map<string, { hash: string; proof: string }>();
  const underWay = new Map<string, Promise<boolean>>();
  const slots = createSlots(settings.passwordChecksMax, settings.passwordQueueMax);

  return (name, known, password, nowMs) => {
    // Without a single password in the store nothing that is not a generated secret can be right, for any client id.
    if (!passwordsExist()) return { failure: known === undefined ? 'unknown_client_id' : 'malformed_secret' };
    const proof = createHmac('sha256', processKey).update(password.normalize('NFC')).digest('base64url');
    const candidate = newestPassword(known, nowMs);
    const remembered = candidate && verified.get(candidate.credentialId);
    if (remembered && remembered.hash === candidate.hash && remembered.proof === proof) {
      return outcome(known, candidate, true, nowMs);
    }
    return hashed(name, known, candidate, password, proof, nowMs);
  };

  async function hashed(
    name: string,
    known: KnownApiUser | undefined,
    candidate: KnownPassword | undefined,
    password: string,
    proof: string,
    nowMs: number,
  ): Promise<Outcome> {
    const hash = candidate?.hash ?? NO_PASSWORD;
    // The same guess under the same name at the same time is worked out once. Not under any name without a password, whose
    // hash is the same: with the queue full, a guess that still gets in would tell that there is none.
    const key = `${proof} ${hash} ${usernameKey(name)}`;
    let matching = underWay.get(key);
    if (matching === undefined) {
      const working = slots.run(() => passwordMatches(password, hash));
      if (working === null)
        return { denied: 'temporarily_unavailable', reason: 'too many password checks wait' };
      matching = working.finally(() => underWay.delete(key));
      underWay.set(key, matching);
    }
    const matches = await matching;
    if (matches && candidate !== undefined) {
      if (verified.size >= VERIFIED_MAX) verified.clear();
      verified.set(candidate.credentialId, { hash, proof });
    }
    return outcome(known, candidate, matches, nowMs);
  }
}

/** The live password, or else the one that ended last, for the log. An API user has one live password at most. */
function newestPassword(known: KnownApiUser | undefined, nowMs: number): KnownPassword | undefined {
  const passwords = known?.passwords ?? [];
  return passwords.find((password) => credentialState(password, nowMs) === 'live') ?? passwords[0];
}

function outcome(
  known: KnownApiUser | undefined,
  candidate: KnownPassword | undefined,
  matches: boolean,
  nowMs: number,
): Outcome {
  if (known === undefined) return { failure: 'unknown_client_id' };
  if (candidate === undefined || !matches) return { failure: 'wrong_password' };
  if (credentialState(candidate, nowMs) !== 'live') return { failure: 'expired_password' };
  return known.policy.enabled ? { credentialId: candidate.credentialId } : { failure: 'api_user_disabled' };
}
