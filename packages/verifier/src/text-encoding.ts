const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder('utf-8', { fatal: true });

/** Decodes UTF-8 and keeps a byte order mark; undefined if the bytes are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  return decodeWith(strict, bytes);
}

/** Parses JSON bytes and skips a byte order mark (RFC 8259 §8.1). */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  const text = decodeWith(lenient, bytes);
  if (text === undefined) throw new Error(`${what} is not UTF-8.`);
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message would quote its input.
    throw new Error(`${what} is not JSON.`);
  }
}

function decodeWith(decoder: TextDecoder, bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}
