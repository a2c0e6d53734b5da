/**
 * One `name=value` of a Forwarded header and the character after it (RFC 7239 section 4). Proxies also write `for` without
 * the quotes that a colon or bracket needs, and white space around a semicolon: both are read.
 */
const PAIR = /[ \t]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^",;\s]*))[ \t]*([;,]|$)/y;

/**
 * What `for` is in each element of one line of a Forwarded header: an empty text in an element that has none or several.
 * A line that does not follow the grammar counts as one such element, because a quotation mark in the part that a stranger
 * sent could hide the part that a proxy added.
 */
export function forwardedFor(line: string): string[] {
  const elements: string[] = [];
  let named: string | undefined;
  let count = 0;
  for (let at = 0; at <= line.length; at = PAIR.lastIndex) {
    PAIR.lastIndex = at;
    const [, name, quoted, token, end] = PAIR.exec(line) ?? [];
    if (name === undefined) return [''];
    if (name.toLowerCase() === 'for') {
      named = quoted?.replaceAll(/\\(.)/g, '$1') ?? token;
      count += 1;
    }
    if (end === ';') continue;
    elements.push(count === 1 ? (named ?? '') : '');
    count = 0;
    if (end === '') return elements;
  }
  return [''];
}
