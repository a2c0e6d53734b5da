import { parseJson } from './inline-response-200.ts';
import { property } from './redaction.ts';

/** How long before its end a token is renewed, in milliseconds. */
export interface RenewalWindows {
  /** With less than this left, the token is renewed in the background. Default 300,000; at most a quarter of its life. */
  readonly advisoryWindowMs: number;
  /** With less than this left, callers wait for the new token. Default 30,000; at most a tenth of its life. */
  readonly mandatoryWindowMs: number;
}

export const defaultWindows: RenewalWindows = { advisoryWindowMs: 300_000, mandatoryWindowMs: 30_000 };

/** A token and the instants that matter, in epoch milliseconds by the configuration's clock. */
export interface HeldToken {
  readonly accessToken: string;
  readonly lifeMs: number;
  readonly expiresAt: number;
  /** From here on it is renewed in the background. */
  readonly renewFrom: number;
  /** From here on it is not handed out. */
  readonly waitFrom: number;
}

/** Both windows shrink with the token's life, and the advisory one is jittered so that a fleet does not renew at once. */
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

/** The token as a shared store keeps it. */
export function storedValue({ accessToken, lifeMs, expiresAt }: HeldToken): string {
  return JSON.stringify({ v: 1, accessToken, lifeMs, expiresAt });
}

/** The token in a stored value; undefined when it holds none, whatever else it holds. */
export function fromStoredValue(value: string, now: number, windows: RenewalWindows): HeldToken | undefined {
  const fields = parseJson(value);
  const [accessToken, lifeMs, expiresAt] = ['accessToken', 'lifeMs', 'expiresAt'].map((name) =>
    property(fields, name),
  );
  if (typeof accessToken !== 'string' || typeof lifeMs !== 'number' || typeof expiresAt !== 'number')
    return undefined;
  // No token has more left than its life: if this one seems to, the clock of whoever wrote it is ahead of ours.
  return heldToken(accessToken, lifeMs, Math.min(expiresAt, now + lifeMs), windows);
}
