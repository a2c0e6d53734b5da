/** RFC 7515 §2: base64url without padding. */
export function base64url(bytes: Uint8Array): string {
  const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** `Uint8Array<ArrayBuffer>`, which TypeScript before 5.7 cannot write. */
export type Bytes = ReturnType<TextEncoder['encode']>;

const utf8 = new TextEncoder();

export function utf8Bytes(text: string): Bytes {
  return utf8.encode(text);
}
