/** What usage is counted by. All units begin at whole multiples of their length since 1970 (UTC). */
export type UsageUnit = 'minute' | 'hour' | 'day';

export const USAGE_UNITS: readonly UsageUnit[] = ['minute', 'hour', 'day'];

export const UNIT_MS: Readonly<Record<UsageUnit, number>> = {
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
};

/** What happened in one minute, hour or day: of one API user, or of all callers together. */
export interface UsagePoint {
  /** Its start, in milliseconds since 1970 (UTC). */
  at: number;
  tokens: number;
  /** How many requests were refused, by reason (domain/refusal.ts); reasons without any are left out. */
  refusals: Readonly<Record<string, number>>;
}

/** The start of the unit in which `ms` lies. */
export function startOf(unit: UsageUnit, ms: number): number {
  return ms - (ms % UNIT_MS[unit]);
}

/** The starts of all units that begin from `from` up to, and not at, `to`. */
export function startsBetween(unit: UsageUnit, from: number, to: number): number[] {
  const length = UNIT_MS[unit];
  const starts: number[] = [];
  for (let at = Math.ceil(from / length) * length; at < to; at += length) starts.push(at);
  return starts;
}

/** A point for each unit from `from` up to, and not at, `to`: one with zeros where nothing happened. */
export function withoutGaps(
  points: readonly UsagePoint[],
  unit: UsageUnit,
  from: number,
  to: number,
): UsagePoint[] {
  const byStart = new Map(points.map((point) => [point.at, point]));
  return startsBetween(unit, from, to).map((at) => byStart.get(at) ?? { at, tokens: 0, refusals: {} });
}
