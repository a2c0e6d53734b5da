const THREE_PARTS = /^[\w-]+\.[\w-]+\.[\w-]+$/;
/** The last characters of a part without stray bits, by the part's length modulo 4. */
const LAST_CHARACTERS: readonly string[] = ['', '', 'AQgw', 'AEIMQUYcgkosw048'];

/**
 * Whether a text is three parts of base64url in canonical form (RFC 7515 §2, RFC 4648 §3.5). jose also
 * accepts padding, line breaks and stray bits, so one token would have many spellings.
 */
export function isCompactJws(text: string): boolean {
  if (!THREE_PARTS.test(text)) return false;
  const second = text.indexOf('.') + 1;
  const third = text.indexOf('.', second) + 1;
  return (
    endsRightly(text, 0, second - 1) &&
    endsRightly(text, second, third - 1) &&
    endsRightly(text, third, text.length)
  );
}

function endsRightly(text: string, from: number, to: number): boolean {
  const over = (to - from) % 4;
  return over === 0 || (LAST_CHARACTERS[over] as string).includes(text.charAt(to - 1));
}
