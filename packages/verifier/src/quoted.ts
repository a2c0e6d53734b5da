/** The longest quotation of a foreign text, in characters. */
const QUOTED_MAX = 200;
/** JSON.stringify does not escape DEL, C1 controls, line, direction and byte order marks. */
const UNPRINTABLE = /[\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Quotes a foreign value as JSON, escaped and cut. */
export function quoted(value: unknown): string {
  const json = JSON.stringify(typeof value === 'string' ? cut(value) : value) ?? 'nothing';
  const printable = json.replace(
    UNPRINTABLE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return typeof value === 'string' ? printable : cut(printable);
}

function cut(text: string): string {
  return text.length > QUOTED_MAX ? `${text.slice(0, QUOTED_MAX)}…` : text;
}
