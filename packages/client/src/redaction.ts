import { shown } from './escape.ts';

export const REDACTED = '[redacted]';

/** Makes `util.inspect` and `console.log` of Node, Deno and Bun print the objects of a class as `toString` does. */
export function printAsString(prototype: { toString(): string }): void {
  Reflect.set(prototype, Symbol.for('nodejs.util.inspect.custom'), prototype.toString);
}

export type Scrub = (text: string) => string;

/**
 * A regex for one character of a secret as it is, in a form, a URL, in JSON and in HTML. No alternative is there twice: a
 * text that matches in two ways at each character would take exponential time.
 */
function spellings(character: string): string {
  const units = character
    .split('')
    .map((unit) => `000${unit.charCodeAt(0).toString(16)}`.slice(-4).toUpperCase());
  // encodeURIComponent leaves some of ASCII alone that others encode.
  const hex = `%${units[0]?.slice(2)}`;
  const literal = new Set(['+', character, encodeURIComponent(character), hex, `\\u${units.join('\\u')}`]);
  return `\\\\?(?:${[...literal].map((text) => text.replace(/\W/g, '\\$&')).join('|')}|&#?\\w{2,8};)`;
}

/**
 * The value of any member or parameter that holds a token by its name, be it cut off, and a JWT without a name. The bound
 * keeps the time linear; no real header is longer.
 */
const tokens = /(_token\W{1,9})[^\s"'&<\\]+|eyJ[\w-]{9,999}\.[\w.-]+/gi;

/** A function that takes tokens, and `secrets` in each form in which a server may echo them, out of a text. */
export function scrubber(secrets: string[]): Scrub {
  return (text) => {
    const known = secrets.map((secret) => secret.replace(/\W/gu, spellings)).join('|');
    return text.replace(new RegExp(known, 'gi'), REDACTED).replace(tokens, `$1${REDACTED}`);
  };
}

/**
 * A copy of an error that somebody else's code threw, with its name, message, code and causes, and without anything
 * else that it carries: some HTTP clients put the request, credentials included, on their errors.
 */
export function scrubbedError(thrown: unknown, scrub: Scrub, depth = 0): Error {
  const [name, message, code, cause] = ['name', 'message', 'code', 'cause'].map((key) =>
    property(thrown, key),
  );
  const inner = cause && depth < 5 ? { cause: scrubbedError(cause, scrub, depth + 1) } : undefined;
  const clean = (text: string) => shown(scrub(text));
  const copy = new Error(clean(String(message ?? thrown)), inner);
  return Object.assign(
    copy,
    { name: typeof name === 'string' ? clean(name) : 'Error' },
    typeof code === 'string' && { code: clean(code) },
  );
}

/** A property of something of which nothing is known. */
export function property(value: unknown, name: string): unknown {
  return Reflect.get(Object(value), name);
}
