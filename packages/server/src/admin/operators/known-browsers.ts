import { randomBytes } from 'node:crypto';
import type { MasterKey } from '../../storage/master-key.ts';

/**
 * Recognises a browser in which an operator has signed in before. Its cookie is sealed under the master key
 * and stored nowhere. The cookie does not sign the operator in. It gives the browser a separate budget of
 * attempts, which strangers cannot use up (docs/decisions/041).
 */
export interface KnownBrowsers {
  cookieFor(operatorId: string, nowMs: number): string;
  /** The key that counts attempts of this browser; null if the cookie does not belong to this operator. */
  recognise(cookie: string | null, operatorId: string, nowMs: number): string | null;
}

export const KNOWN_BROWSER_SECONDS: number = 180 * 86_400;

const CONTEXT = 'known browser';
const ID_BYTES = 12;
const COOKIE_LENGTH_MAX = 400;

export function createKnownBrowsers(masterKey: MasterKey): KnownBrowsers {
  function opened(cookie: string): unknown[] {
    try {
      return JSON.parse(masterKey.unseal(cookie, CONTEXT).toString('utf8')) as unknown[];
    } catch {
      return []; // forged, or sealed under another master key
    }
  }

  return {
    cookieFor(operatorId, nowMs) {
      const id = randomBytes(ID_BYTES).toString('base64url');
      return masterKey.seal(Buffer.from(JSON.stringify([operatorId, id, nowMs])), CONTEXT);
    },
    recognise(cookie, operatorId, nowMs) {
      if (cookie === null || cookie.length > COOKIE_LENGTH_MAX) return null;
      const [owner, id, madeAt] = opened(cookie);
      const fresh = typeof madeAt === 'number' && nowMs - madeAt < KNOWN_BROWSER_SECONDS * 1000;
      return fresh && owner === operatorId && typeof id === 'string' ? `${operatorId} ${id}` : null;
    },
  };
}
