export const LOG_FORMATS = ['auto', 'json', 'text'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

const LEVELS: Readonly<Record<number, string>> = {
  10: 'TRACE',
  20: 'DEBUG',
  30: 'INFO',
  40: 'WARN',
  50: 'ERROR',
  60: 'FATAL',
};

/** Characters that move the cursor of a terminal, or change the direction of writing. */
const UNPRINTABLE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/**
 * Formats a line of pino for a person at a terminal: time (UTC), level, message and fields, with the stack of
 * an error below.
 */
export function logText(line: string): string {
  const { level, time, msg, err, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const { message, stack, ...cause } = Object(err) as Record<string, unknown>;
  const pairs = Object.entries({ ...(err !== undefined && { error: message, ...cause }), ...fields });
  const words = [
    new Date(Number(time)).toISOString().replace(/\.\d+Z$/, 'Z'),
    (LEVELS[Number(level)] ?? String(level)).padEnd(5),
    printable(String(msg)),
    ...pairs.map(([name, value]) => `${name}=${shownValue(value)}`),
  ];
  const frames = typeof stack === 'string' ? stack.split('\n').slice(1) : [];
  return [words.join(' '), ...frames.map(printable)].map((text) => `${text}\n`).join('');
}

function shownValue(value: unknown): string {
  const isWord = typeof value === 'string' && /^[^\s"=]+$/.test(value);
  return printable(isWord ? value : JSON.stringify(value));
}

function printable(text: string): string {
  return text.replaceAll(
    UNPRINTABLE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
