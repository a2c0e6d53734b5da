import { createPublicKey, type KeyObject } from 'node:crypto';

/** A member of a key set, as the server publishes it. */
export type Jwk = Readonly<Record<string, unknown>>;

/** Null for a key that OpenSSL cannot read. */
export function publicKeyOf(jwk: Jwk): KeyObject | null {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' });
  } catch {
    return null;
  }
}

/** The text of a public key, which everybody can read. */
export function publicText(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'pem' });
}
