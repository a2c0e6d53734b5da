const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder('utf-8', { fatal: true });

/** The text in bytes of UTF-8, a byte order mark included; undefined: they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  return decodeWith(strict, bytes);
}

/** The JSON in a response or a signed statement; a byte order mark before it is skipped (RFC 8259 §8.1). */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  const text = decodeWith(lenient, bytes);
  if (text === undefined) throw new Error(`${what} is not UTF-8.`);
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes what it read.
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
