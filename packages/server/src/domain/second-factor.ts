import { hash, randomFillSync } from 'node:crypto';
import { Secret, TOTP } from 'otpauth';

/** RFC 6238, with the values that every authenticator app has: SHA-1, six digits, a step of 30 seconds. */
const STEP_SECONDS = 30;
const SECRET_BYTES = 20; // RFC 4226 §4: 160 bits
/** A code of the step before and of the step after is taken too (RFC 6238 §5.2): clocks differ, and people type slowly. */
const STEPS_EITHER_WAY = 1;

export interface NewTotp {
  /** Base 32: for whoever types it. */
  secret: string;
  /** For a QR code. */
  uri: string;
}

/** `site` and `email` are what the app shows beside the code. */
export function newTotp(site: string, email: string): NewTotp {
  const secret = new Secret({ size: SECRET_BYTES });
  const totp = new TOTP({ issuer: `Mintmark ${site}`, label: email, secret, period: STEP_SECONDS });
  return { secret: secret.base32, uri: totp.toString() };
}

/**
 * The time step of a right code; null for a wrong one, and for one of a step that was taken before: who reads a code over a
 * shoulder must not sign in with it (RFC 6238 §5.2).
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
/** Without 0, 1, I, L, O and U: nothing that is read as something else, and no words. Each of the 16 has 4.9 bits. */
const CODE_LETTERS = '23456789ABCDEFGHJKMNPQRSTVWXYZ';
const CODE_LENGTH = 16;
const CODE_GROUP = 4;

/** Each stands in for a code of the app, once: `7K2M-QXW4-9TRB-D3HF`. */
export function newRecoveryCodes(): string[] {
  return Array.from({ length: RECOVERY_CODES }, () => {
    const letters = randomLetters(CODE_LENGTH);
    return letters.match(new RegExp(`.{${CODE_GROUP}}`, 'g'))?.join('-') ?? letters;
  });
}

/** What is stored of a recovery code; null where it cannot be one. As it was typed: in small letters, without dashes. */
export function recoveryCodeDigest(typed: string): string | null {
  const letters = typed.toUpperCase().replaceAll(/[\s-]/g, '');
  return letters.length === CODE_LENGTH ? hash('sha256', letters, 'base64url') : null;
}

function randomLetters(length: number): string {
  const bytes = new Uint8Array(1);
  let text = '';
  while (text.length < length) {
    randomFillSync(bytes);
    // 30 × 8 = 240: bytes from there on are thrown away, so that no letter is favoured.
    const byte = bytes[0] ?? 255;
    if (byte < CODE_LETTERS.length * 8) text += CODE_LETTERS.charAt(byte % CODE_LETTERS.length);
  }
  return text;
}

/** Wrong codes in a row that cost nothing: after them each one locks, for twice as long as the one before. */
const FREE_TRIES = 5;
const LOCK_MS = 30_000;
const LOCK_MS_MAX = 900_000;

/**
 * Until when no code is looked at after this many wrong ones in a row. Only whoever knows the password gets to send a code,
 * so no stranger can lock an operator out with it; and whoever stole the password has a hundred guesses a day at a million.
 */
export function codesLockedUntil(wrongCodes: number, nowMs: number): number | null {
  if (wrongCodes < FREE_TRIES) return null;
  return nowMs + Math.min(LOCK_MS_MAX, LOCK_MS * 2 ** Math.min(wrongCodes - FREE_TRIES, 10));
}
