import { parseJson } from './inline-response-200.ts';
import { property } from './redaction.ts';

/** How long before its end a token is renewed, in milliseconds. */
export interface RenewalWindows {
  /** With less time left, renewal starts. Default 300,000; at most a quarter of the token's life. */
  readonly advisoryWindowMs: number;
  /** With less time left, callers wait for it. Default 30,000; at most a tenth of the token's life. */
  readonly mandatoryWindowMs: number;
}

export const defaultWindows: RenewalWindows = { advisoryWindowMs: 300_000, mandatoryWindowMs: 30_000 };

/** A token and its times, in epoch milliseconds of the configuration's clock. */
export interface HeldToken {
  readonly accessToken: string;
  readonly lifeMs: number;
  readonly expiresAt: number;
  /** From here on the token is renewed in the background. */
  readonly renewFrom: number;
  /** From here on callers wait for a new token. */
  readonly waitFrom: number;
}

/** Both windows shrink with the token's life. Jitter on the advisory window spreads a fleet's renewals. */
export function heldToken(
  accessToken: string,
  lifeMs: number,
  expiresAt: number,
  windows: RenewalWindows,
  random: () => number = Math.random,
): HeldToken {
  const waitFrom = expiresAt - Math.min(windows.mandatoryWindowMs, lifeMs / 10);
  const advisoryMs = Math.min(windows.advisoryWindowMs, lifeMs / 4) * (0.8 + 0.4 * random());
  return { accessToken, lifeMs, expiresAt, waitFrom, renewFrom: Math.min(waitFrom, expiresAt - advisoryMs) };
}

/** Serializes a token for a shared store. */
export function storedValue({ accessToken, lifeMs, expiresAt }: HeldToken): string {
  return JSON.stringify({ v: 1, accessToken, lifeMs, expiresAt });
}

/** Parses a stored value. Undefined if it holds no token. */
export function fromStoredValue(value: string, now: number, windows: RenewalWindows): HeldToken | undefined {
  const fields = parseJson(value);
  const [accessToken, lifeMs, expiresAt] = ['accessToken', 'lifeMs', 'expiresAt'].map((name) =>
    property(fields, name),
  );
  if (typeof accessToken !== 'string' || typeof lifeMs !== 'number' || typeof expiresAt !== 'number')
    return undefined;
  // A token that seems to have more time left than its whole life comes from a clock ahead of ours.
  return heldToken(accessToken, lifeMs, Math.min(expiresAt, now + lifeMs), windows);
}
