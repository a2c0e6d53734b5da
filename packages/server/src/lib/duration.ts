/** Milliseconds of each unit that a duration may have. */
const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** What a duration looks like, for the texts that refuse another. */
export const DURATION_EXAMPLES = '90d, 24h, 15m, 30s or 500ms';

/** `90d`, `24h`, `15m`, `30s` or `500ms` in milliseconds; null for anything else. */
export function durationMs(text: string): number | null {
  const [, number, unit = ''] = /^(\d{1,9})(ms|[smhd])$/.exec(text) ?? [];
  return number === undefined ? null : Number(number) * (UNITS[unit] ?? 0);
}

/** The same duration in its largest unit, a day as `24h`; `0` has none. */
export function durationText(ms: number): string {
  if (ms === 0) return '0';
  const inDays = ms % 86_400_000 === 0 && ms > 86_400_000;
  const unit = inDays ? 'd' : (['h', 'm', 's'].find((name) => ms % (UNITS[name] ?? 1) === 0) ?? 'ms');
  return `${ms / (UNITS[unit] ?? 1)}${unit}`;
}
