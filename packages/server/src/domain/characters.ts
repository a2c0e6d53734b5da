/**
 * What is wrong with the characters of a text that people choose; null if nothing is. No control character: PostgreSQL takes
 * no NUL, and no text of ours holds a line break. No half of a surrogate pair: it has no UTF-8, so each store would make
 * something else of it. Nothing that turns the direction of what comes after it, by which one name could look like another.
 */
export function characterProblem(what: string, text: string): string | null {
  if (/\p{Cc}/u.test(text)) return `The ${what} holds a control character: remove it.`;
  if (!text.isWellFormed()) return `The ${what} holds half of a character (a lone surrogate): remove it.`;
  return TURNS_DIRECTION.test(text)
    ? `The ${what} holds a character that turns the direction of writing: remove it.`
    : null;
}

/** Embeddings, overrides and isolates (Unicode Standard Annex #9, section 2). */
const TURNS_DIRECTION = /[\u202a-\u202e\u2066-\u2069]/;

/** The first of these rules as the pattern of a schema, for texts that no other rule looks at, such as a search. */
export const NO_CONTROL = '^[^\\u0000-\\u001f\\u007f]*$';
