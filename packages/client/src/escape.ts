/** Invisible or active characters: controls, half surrogate pairs, line and direction marks. */
export const unprintable: RegExp = /[\p{Cc}\p{Cs}\u2028-\u202e\u2066-\u2069\ufeff]/u;
const each = new RegExp(unprintable, 'gu');

/** The longest foreign text in one property or one part of a message, in characters. */
const TEXT_MAX = 500;

/** Escapes unprintable characters as JSON does: `\r`, `\u001b`. */
export function escaped(text: string): string {
  return text.replace(each, (character) => {
    const code = character.charCodeAt(0);
    // JSON.stringify does not escape DEL, C1 controls and direction marks.
    return code < 32 ? JSON.stringify(character).slice(1, -1) : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** Foreign text as errors and events show it: escaped and cut to TEXT_MAX. */
export function shown(text: string): string {
  return escaped(text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…` : text);
}
