const TIME = /^(\d{4})-(\d\d)-(\d\d)(?:[Tt](\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?(?:[Zz]|[+-](\d\d):(\d\d))?)?$/;

/** A full time of RFC 3339, the form that most callers accept. */
export const RFC_3339 = '^\\d{4}-\\d\\d-\\d\\d[Tt]\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?([Zz]|[+-]\\d\\d:\\d\\d)$';

/** The times that we can write: their year has four digits. */
const MIN_MS = Date.parse('0000-01-01T00:00:00Z');
const MAX_MS = Date.parse('9999-12-31T23:59:59.999Z');

/**
 * Parses a day or a time of RFC 3339 to milliseconds since 1970; a time without an offset is UTC. Null: the
 * text is neither, or the day does not exist. `Date.parse` alone turns 30 February into 2 March, accepts
 * 24:00, and reads a time without an offset as local.
 */
export function parseTime(text: string): number | null {
  const [, ...fields] = TIME.exec(text) ?? [];
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, offsetHour = 0, offsetMinute = 0] =
    fields.map((field) => Number(field ?? 0));
  if (fields.length === 0 || hour > 23 || minute > 59 || second > 59 || offsetHour > 23 || offsetMinute > 59)
    return null;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null;
  const hasOffset = text.length === 10 || /(?:[Zz]|[+-]\d\d:\d\d)$/.test(text.slice(10));
  const ms = Date.parse(`${text.toUpperCase()}${hasOffset ? '' : 'Z'}`);
  return ms >= MIN_MS && ms <= MAX_MS ? ms : null;
}
