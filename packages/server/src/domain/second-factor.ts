import { hash, randomFillSync } from 'node:crypto';
import { Secret, TOTP } from 'otpauth';
import { backoffMs } from '../lib/backoff.ts';

/** RFC 6238, with the values that every authenticator app has: SHA-1, six digits, a step of 30 seconds. */
const STEP_SECONDS = 30;
const SECRET_BYTES = 20; // RFC 4226 §4: 160 bits
/**
 * Codes of the step before and the step after are accepted too (RFC 6238 §5.2): clocks differ, and people
 * type slowly.
 */
const STEPS_EITHER_WAY = 1;

export interface NewTotp {
  /** Base 32, for typing. */
  secret: string;
  /** For a QR code. */
  uri: string;
}

/** The app shows `site` and `email` beside the code. */
export function newTotp(site: string, email: string): NewTotp {
  const secret = new Secret({ size: SECRET_BYTES });
  const totp = new TOTP({ issuer: `Mintmark ${site}`, label: email, secret, period: STEP_SECONDS });
  return { secret: secret.base32, uri: totp.toString() };
}

/**
 * The time step of a right code. Null for a wrong code, and for a code of a step that was used before or is
 * older: reading a code over a shoulder must not be enough to sign in (RFC 6238 §5.2).
 */
export function totpStep(
  secret: string,
  code: string,
  lastStep: number | null,
  nowMs: number,
): number | null {
  if (!/^\d{6}$/.test(code)) return null;
  const totp = new TOTP({ secret: Secret.fromBase32(secret), period: STEP_SECONDS });
  const delta = totp.validate({ token: code, timestamp: nowMs, window: STEPS_EITHER_WAY });
  if (delta === null) return null;
  const step = totp.counter({ timestamp: nowMs }) + delta;
  return lastStep === null || step > lastStep ? step : null;
}

export const RECOVERY_CODES = 10;
/**
 * Without 0, 1, I, L, O and U: no letter looks like another, and codes hold no words. Each of the 16 letters
 * has 4.9 bits.
 */
const CODE_LETTERS = '23456789ABCDEFGHJKMNPQRSTVWXYZ';
const CODE_LENGTH = 16;
const CODE_GROUP = 4;

/** Each replaces a code of the app, once: `7K2M-QXW4-9TRB-D3HF`. */
export function newRecoveryCodes(): string[] {
  return Array.from({ length: RECOVERY_CODES }, () => {
    const letters = randomLetters(CODE_LENGTH);
    return letters.match(new RegExp(`.{${CODE_GROUP}}`, 'g'))?.join('-') ?? letters;
  });
}

/**
 * The stored digest of a recovery code; null if the text cannot be one. Small letters and missing dashes do
 * not matter.
 */
export function recoveryCodeDigest(typed: string): string | null {
  const letters = typed.toUpperCase().replaceAll(/[\s-]/g, '');
  return letters.length === CODE_LENGTH ? hash('sha256', letters, 'base64url') : null;
}

function randomLetters(length: number): string {
  const bytes = new Uint8Array(1);
  let text = '';
  while (text.length < length) {
    randomFillSync(bytes);
    // 30 × 8 = 240: drop bytes from there on, so that every letter is equally likely.
    const byte = bytes[0] ?? 255;
    if (byte < CODE_LETTERS.length * 8) text += CODE_LETTERS.charAt(byte % CODE_LETTERS.length);
  }
  return text;
}

/** Wrong codes in a row without a lock. From then on each one locks, twice as long as the one before. */
const FREE_TRIES = 5;
const LOCK = { firstMs: 30_000, maxMs: 900_000 };

/**
 * The end of the lock after this many wrong codes in a row; null: no lock. Only a caller with the password
 * gets to send a code, so no stranger can lock an operator out. A thief of the password has a hundred guesses
 * a day at a million codes.
 */
export function codesLockedUntil(wrongCodes: number, nowMs: number): number | null {
  if (wrongCodes < FREE_TRIES) return null;
  return nowMs + backoffMs(wrongCodes - FREE_TRIES + 1, LOCK);
}
