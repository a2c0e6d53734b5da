import { shown } from './escape.ts';

export const REDACTED = '[redacted]';

/** Makes `util.inspect` and `console.log` in Node, Deno and Bun print a class's objects like `toString`. */
export function printAsString(prototype: { toString(): string }): void {
  Reflect.set(prototype, Symbol.for('nodejs.util.inspect.custom'), prototype.toString);
}

export type Scrub = (text: string) => string;

/**
 * A regex for one character of a secret: plain, or escaped for a form, URL, JSON or HTML. Its alternatives
 * are distinct, because a text that matches two ways at each character takes exponential time.
 */
function spellings(character: string): string {
  const units = character
    .split('')
    .map((unit) => unit.charCodeAt(0).toString(16).padStart(4, '0').toUpperCase());
  // encodeURIComponent does not escape all ASCII that other encoders do.
  const hex = `%${units[0]?.slice(2)}`;
  const literal = new Set(['+', character, encodeURIComponent(character), hex, `\\u${units.join('\\u')}`]);
  return `\\\\?(?:${[...literal].map((text) => text.replace(/\W/g, '\\$&')).join('|')}|&#?\\w{2,8};)`;
}

/**
 * Matches values of members or parameters named like tokens, even cut ones, and JWTs anywhere. The bound
 * keeps the time linear; real headers are shorter.
 */
const tokens = /(_token\W{1,9})[^\s"'&<\\]+|eyJ[\w-]{9,999}\.[\w.-]+/gi;

/** Returns a function that removes tokens and `secrets`, in each encoding a server may echo, from a text. */
export function scrubber(secrets: string[]): Scrub {
  return (text) => {
    const pattern = secrets.map((secret) => secret.replace(/\W/gu, spellings)).join('|');
    return text.replace(new RegExp(pattern, 'gi'), REDACTED).replace(tokens, `$1${REDACTED}`);
  };
}

/**
 * Copies name, message, code and causes of a foreign error and nothing else: some HTTP clients attach the
 * request with its credentials.
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

/** Reads a property of a value of any type. */
export function property(value: unknown, name: string): unknown {
  return Reflect.get(Object(value), name);
}
