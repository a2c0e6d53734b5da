/** The units in which usage is counted. Each begins at a whole multiple of its length since 1970 (UTC). */
export type UsageUnit = 'minute' | 'hour' | 'day';

export const USAGE_UNITS: readonly UsageUnit[] = ['minute', 'hour', 'day'];

export const UNIT_MS: Readonly<Record<UsageUnit, number>> = {
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
};

/** The usage of one minute, hour or day: of one API user, or of all callers together. */
export interface UsagePoint {
  /** Its start, in milliseconds since 1970 (UTC). */
  at: number;
  tokens: number;
  /** Refused requests by reason (domain/refusal.ts). Reasons without a request are left out. */
  refusals: Readonly<Record<string, number>>;
}

/** The start of the unit in which `ms` lies. */
export function startOf(unit: UsageUnit, ms: number): number {
  return ms - (ms % UNIT_MS[unit]);
}

/** The starts of all units from `from` on and before `to`. */
export function startsBetween(unit: UsageUnit, from: number, to: number): number[] {
  const length = UNIT_MS[unit];
  const starts: number[] = [];
  for (let at = Math.ceil(from / length) * length; at < to; at += length) starts.push(at);
  return starts;
}

/** A point for each unit from `from` on and before `to`. A unit without usage gets a point with zeros. */
export function withoutGaps(
  points: readonly UsagePoint[],
  unit: UsageUnit,
  from: number,
  to: number,
): UsagePoint[] {
  const byStart = new Map(points.map((point) => [point.at, point]));
  return startsBetween(unit, from, to).map((at) => byStart.get(at) ?? { at, tokens: 0, refusals: {} });
}
