// The compact form of a JWS (RFC 7515 §7.1): three parts of base64url.

/** A JSON object. Read its members only by names that no object inherits. */
export type JsonObject = Readonly<Record<string, unknown>>;

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The JSON object in one part of a JWS; null if the part holds anything else. */
export function jsonOfPart(part: string): JsonObject | null {
  const bytes = bytesOfPart(part);
  if (bytes === null) return null;
  try {
    const value: unknown = JSON.parse(UTF8.decode(bytes));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as JsonObject)
      : null;
  } catch {
    return null;
  }
}

/**
 * Decodes base64url (RFC 7515 §2). Accepts one text for each value: no padding, other characters or stray
 * bits.
 */
export function bytesOfPart(part: string): Buffer | null {
  const bytes = Buffer.from(part, 'base64url');
  return bytes.toString('base64url') === part ? bytes : null;
}
