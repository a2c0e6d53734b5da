import { isUtf8 } from 'node:buffer';
import { invalidRequest, type Denial } from '../domain/denial.ts';

/** The parameters of a form that have a value: one with an empty value counts as omitted (RFC 6749 §3.2). */
export type Form = ReadonlyMap<string, string>;

/**
 * Parses `application/x-www-form-urlencoded` strictly. It refuses malformed escapes and repeated parameters
 * instead of guessing.
 */
export function parseForm(body: Buffer): Form | Denial {
  if (!isUtf8(body))
    return invalidRequest('The body is not UTF-8: encode it as such, and percent-encode values.');
  return parseFormText(body.toString('utf8'));
}

/** Like `parseForm`, for a text such as the query string of a URL. */
export function parseFormText(text: string): Form | Denial {
  const form = new Map<string, string>();
  // One search over the whole text: most forms have nothing to decode.
  const encoded = NEEDS_DECODING.test(text);
  let empty = false;
  for (let at = 0, end = 0; at < text.length; at = end + 1) {
    end = text.indexOf('&', at);
    if (end < 0) end = text.length;
    if (end === at) continue;
    const equals = text.indexOf('=', at);
    const hasValue = equals >= 0 && equals < end;
    let name: string | null = text.slice(at, hasValue ? equals : end);
    let value: string | null = hasValue ? text.slice(equals + 1, end) : '';
    if (encoded) [name, value] = [decodeFormText(name), decodeFormText(value)];
    if (name === null || value === null) return invalidRequest(MALFORMED);
    if (form.has(name)) return invalidRequest('A parameter is given more than once: send each one once.');
    form.set(name, value);
    empty ||= value === '';
  }
  if (empty) for (const [name, value] of form) if (value === '') form.delete(name);
  return form;
}

const NEEDS_DECODING = /[%+\0]/;

/** Decodes a form-encoded text; null if it holds a malformed escape, bytes that are not UTF-8, or NUL. */
export function decodeFormText(text: string): string | null {
  const escaped = text.includes('%') || text.includes('+');
  const decoded = escaped ? decodeEscapes(text.replaceAll('+', ' ')) : text;
  return decoded?.includes('\0') === true ? null : decoded;
}

function decodeEscapes(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

const MALFORMED =
  'A parameter is not well-formed: percent-encode its bytes as UTF-8 (a percent sign itself is %25), without NUL.';
