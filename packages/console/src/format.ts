// Formats for people. English, with dates that read the same in Europe and America.

const WHOLE = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 0 });
const COMPACT = new Intl.NumberFormat('en-GB', { notation: 'compact', maximumFractionDigits: 1 });
const DATE_TIME = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short' });
const DATE_TIME_EXACT = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'long' });
const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const CLOCK_SECONDS = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });
const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
export const DAY_MS: number = 24 * HOUR;

export function whole(value: number): string {
  return WHOLE.format(value);
}

/** 12,345 as 12.3K, for narrow places. */
export function compact(value: number): string {
  return Math.abs(value) < 10_000 ? WHOLE.format(value) : COMPACT.format(value);
}

/** One decimal below 100, none above. */
export function rate(value: number): string {
  return Math.abs(value) < 100 ? value.toFixed(1) : WHOLE.format(value);
}

export function milliseconds(value: number | null): string {
  if (value === null) return '–';
  return value < 10 ? `${value.toFixed(value < 1 ? 2 : 1)} ms` : `${WHOLE.format(value)} ms`;
}

export function dateTime(at: number): string {
  return DATE_TIME.format(at);
}

/** To the second, with the time zone. */
export function exactTime(at: number): string {
  return DATE_TIME_EXACT.format(at);
}

export function clock(at: number): string {
  return CLOCK.format(at);
}

export function clockSeconds(at: number): string {
  return CLOCK_SECONDS.format(at);
}

export function day(at: number): string {
  return DAY.format(at);
}

/** "3 min ago", "in 5 days". */
export function fromNow(at: number, now: number): string {
  const apart = Math.abs(at - now);
  if (apart < SECOND) return 'just now';
  return at > now ? `in ${duration(apart)}` : `${duration(apart)} ago`;
}

/** In the largest unit that fits. */
export function duration(ms: number): string {
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < 2 * DAY_MS) return `${Math.floor(ms / HOUR)} h`;
  return `${WHOLE.format(Math.floor(ms / DAY_MS))} days`;
}

/** Shortens a person's text for narrow places. */
export function cut(text: string, lengthMax = NAME_LENGTH_MAX): string {
  return text.length > lengthMax ? `${text.slice(0, lengthMax - 1).trimEnd()}…` : text;
}

/** Longest name in headings and lists, in characters. */
export const NAME_LENGTH_MAX = 60;

export function plural(count: number, one: string, many: string = `${one}s`): string {
  return `${WHOLE.format(count)} ${count === 1 ? one : many}`;
}

export function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

export function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

export function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/** For a datetime-local input: to the minute, in local time. */
export function inMinutes(at: number): string {
  const offset = new Date(at).getTimezoneOffset() * MINUTE;
  return new Date(at - offset).toISOString().slice(0, 16);
}
