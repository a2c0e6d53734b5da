import { createPrivateKey } from 'node:crypto';

/** PEM, also of OpenPGP, with escaped line breaks, or cut off at the beginning; files of PuTTY. */
const PEM_OR_PUTTY = /-----(BEGIN|END) [^-\n]*PRIVATE KEY|PuTTY-User-Key-File-/i;
/** A member of a private or symmetric JWK (RFC 7518 §6), also in JSON that is cut off or is itself a text. */
const JWK_MEMBER = /\\?"(d|p|q|dp|dq|qi|oth|k|priv)\\?"\s*:/;
const BASE64 = /^[A-Za-z0-9+/_\-=\s]+$/;

/**
 * Whether a text holds a private key, in any form that people copy: they must learn that it has leaked.
 * Base64 may hide any of these forms.
 */
export function holdsPrivateKey(text: string): boolean {
  if (isPrivate(text)) return true;
  if (!BASE64.test(text)) return false;
  const bytes = Buffer.from(text, 'base64');
  return isPrivate(bytes.toString('latin1')) || isPrivateDer(bytes);
}

function isPrivate(text: string): boolean {
  return PEM_OR_PUTTY.test(text) || (text.includes('kty') && JWK_MEMBER.test(text));
}

function isPrivateDer(key: Buffer): boolean {
  return (['pkcs8', 'sec1', 'pkcs1'] as const).some((type) => {
    try {
      createPrivateKey({ key, format: 'der', type });
      return true;
    } catch {
      return false;
    }
  });
}
