const SEQUENCE = 0x30;
const INTEGER = 0x02;

/**
 * Returns an ECDSA signature for a JWS: r and s at full length (RFC 7518 §3.4). Key services of AWS and
 * Google return DER (RFC 3279 §2.2.3) instead. Undefined if the bytes are neither.
 */
export function jwsSignature(signature: Uint8Array, size: number): Uint8Array | undefined {
  if (signature.length === size) return signature;
  const result = new Uint8Array(size);
  let offset = 2;
  for (const end of [size / 2, size]) {
    const length = signature[offset + 1] ?? 0;
    // DER puts a zero before a number whose first bit is set.
    const digits = signature.subarray(offset + 2, offset + 2 + length);
    const number = digits.subarray(digits.findIndex((byte) => byte > 0));
    if (signature[offset] !== INTEGER || number.length > size / 2) return undefined;
    result.set(number, end - number.length);
    offset += 2 + length;
  }
  return signature[0] === SEQUENCE && offset === signature.length ? result : undefined;
}
