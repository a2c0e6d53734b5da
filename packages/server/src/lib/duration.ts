/** Milliseconds of each unit that a duration may have. */
const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Examples of durations, for messages that refuse an invalid one. */
export const DURATION_EXAMPLES = '90d, 24h, 15m, 30s or 500ms';

/** `90d`, `24h`, `15m`, `30s` or `500ms` in milliseconds; null for anything else. */
export function durationMs(text: string): number | null {
  const [, number, unit = ''] = /^(\d{1,9})(ms|[smhd])$/.exec(text) ?? [];
  return number === undefined ? null : Number(number) * (UNITS[unit] ?? 0);
}

/** A duration in the largest unit that divides it. One day is `24h`, and zero is `0` without a unit. */
export function durationText(ms: number): string {
  if (ms === 0) return '0';
  const inDays = ms % 86_400_000 === 0 && ms > 86_400_000;
  const unit = inDays ? 'd' : (['h', 'm', 's'].find((name) => ms % (UNITS[name] ?? 1) === 0) ?? 'ms');
  return `${ms / (UNITS[unit] ?? 1)}${unit}`;
}
