const THREE_PARTS = /^[\w-]+\.[\w-]+\.[\w-]+$/;
/** The last character of a part of which so many are left over from the groups of four: the others hold stray bits. */
const LAST_CHARACTERS: readonly string[] = ['', '', 'AQgw', 'AEIMQUYcgkosw048'];

/**
 * Whether a text is three parts of base64url, each spelled in the one way that there is (RFC 7515 §2, RFC 4648 §3.5): jose would
 * also take padding, line breaks and stray bits, and so many spellings of one token.
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
