import type { Fault } from './fault.ts';

/**
 * Why a text that people choose may not have its characters; null if it may. Refuses control characters:
 * PostgreSQL stores no NUL, and our texts hold no line break. Refuses lone surrogates: they have no UTF-8, so
 * each store would change them differently. Refuses characters that turn the direction of writing: with them,
 * one name could look like another.
 */
export function characterProblem(what: string, text: string): string | null {
  if (CONTROL.test(text)) return `The ${what} holds a control character: remove it.`;
  if (!text.isWellFormed()) return `The ${what} holds half of a character (a lone surrogate): remove it.`;
  return TURNS_DIRECTION.test(text)
    ? `The ${what} holds a character that turns the direction of writing: remove it.`
    : null;
}

/** C0, DEL, C1, and the byte order mark, which some editors put before a text. */
const CONTROL = /[\p{Cc}\ufeff]/u;

/**
 * True if no stored text can equal or contain this one, so that a search for it finds nothing on any store.
 */
export function holdsControl(text: string): boolean {
  return /\p{Cc}/u.test(text) || !text.isWellFormed();
}

/**
 * Why a text from the command line or the environment is refused, as the end of a sentence; null if it is
 * accepted. Node.js replaces bytes that are not UTF-8 with U+FFFD, so the original text is lost.
 */
export function givenTextProblem(text: string): string | null {
  if (text.includes('\ufffd') || !text.isWellFormed()) return 'is not UTF-8: encode it as such';
  const [character] = CONTROL.exec(text) ?? [];
  if (character === undefined) return null;
  const what = character === '\ufeff' ? 'a byte order mark' : 'a control character';
  return `holds ${what} (${inQuotes(character).slice(1, -1)}): remove it`;
}

/** True if a text begins or ends with white space or with a format character, which editors do not show. */
export function hasSurroundingSpace(text: string): boolean {
  return /^[\s\p{Cf}]|[\s\p{Cf}]$/u.test(text);
}

/** A text in quotation marks on one line, with an escape for each character that a terminal does not show. */
export function inQuotes(text: string): string {
  return onOneLine(text);
}

/** A JSON value on one line, with the same escapes. */
export function onOneLine(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[\u007f-\u00a0\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u206f\u3000\ufeff]/g,
    (character) => String.raw`\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * The first string in a JSON value, a member's name or value, that a store would alter; else null. RFC 8259
 * §8.2 allows a lone surrogate, which has no UTF-8: each reader turns it into something else. PostgreSQL
 * stores no NUL. Both come only from escapes, so a JSON text without `\u` needs no search.
 */
export function jsonTextFault(value: unknown): Fault | null {
  const waiting: [member: string, value: unknown][] = [['', value]]; // explicit stack for deeply nested JSON
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [member, each] = next;
    const texts = typeof each === 'string' ? [each] : isObject(each) ? Object.keys(each) : [];
    for (const text of texts) {
      if (!text.isWellFormed())
        return { member, problem: 'This holds half of a character (a lone surrogate).' };
      if (text.includes('\0')) return { member, problem: 'This holds NUL: remove it.' };
    }
    if (!isObject(each)) continue;
    for (const name of texts) waiting.push([member === '' ? name : `${member}/${name}`, each[name]]);
  }
  return null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Embeddings, overrides and isolates (Unicode Standard Annex #9, section 2). */
const TURNS_DIRECTION = /[\u202a-\u202e\u2066-\u2069]/;

/**
 * The rule against control characters (C0 and DEL) as a schema pattern, for texts without another check, such
 * as a search.
 */
export const NO_CONTROL = '^[^\\u0000-\\u001f\\u007f]*$';
