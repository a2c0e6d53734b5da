/**
 * One `name=value` of a Forwarded header and the character after it (RFC 7239 section 4). Some proxies omit
 * the quotes that a colon or bracket in `for` needs, or write white space around a semicolon. The pattern
 * accepts both.
 */
const PAIR = /[ \t]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^",;\s]*))[ \t]*([;,]|$)/y;

/**
 * The value of `for` in each element of one line of a Forwarded header. It is empty if an element has no
 * `for`, or more than one. A malformed line counts as one such element: a quotation mark from a stranger
 * could hide the part that a proxy added.
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
