/** What acts on a terminal or a log, or cannot be seen: controls, halves of surrogate pairs, line and direction marks. */
export const unprintable: RegExp = /[\p{Cc}\p{Cs}\u2028-\u202e\u2066-\u2069\ufeff]/u;
const each = new RegExp(unprintable, 'gu');

/** The longest text of somebody else's that one property or one part of a message shows, in characters. */
const TEXT_MAX = 500;

/** A text with what cannot be printed in it as JSON would escape it: `\r`, `\u001b`. */
export function escaped(text: string): string {
  return text.replace(each, (character) => {
    const code = character.charCodeAt(0);
    // JSON.stringify leaves DEL, C1 and direction marks as they are.
    return code < 32 ? JSON.stringify(character).slice(1, -1) : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** A text of somebody else's as errors and events show it: escaped, and cut when it is long. */
export function shown(text: string): string {
  return escaped(text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…` : text);
}
