import { table } from './table.ts';

export type Target = [name: string, measured: number, most: number];

export const RATIO_HEAD: readonly string[] = [
  'ratio',
  'pairs',
  '1st quartile',
  'median',
  '3rd quartile',
  '± of the median',
];

/** A row of ratios of pairs: their quartiles, and the 95 % interval of the median. */
export function ratioRow(name: string, ratios: readonly number[]): string[] {
  const [first, middle, third] = [0.25, 0.5, 0.75].map((part) => quantile(ratios, part));
  // The standard error of a median is 1.25 times that of a mean; the quartiles are 1.35 deviations apart.
  const within = (1.96 * 1.25 * ((third ?? 0) - (first ?? 0))) / 1.35 / Math.sqrt(ratios.length);
  return [
    name,
    String(ratios.length),
    ...[first, middle, third, within].map((value) => (value ?? 0).toFixed(3)),
  ];
}

export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

/** Prints whether each target is met; true if all are. */
export function verdicts(targets: readonly Target[]): boolean {
  const rows = targets.map(([name, measured, most]) => [
    name,
    measured.toFixed(measured < 10 ? 3 : 0),
    String(most),
    measured <= most ? 'met' : 'MISSED',
  ]);
  console.log(`\n${table([['target', 'measured', 'at most', ''], ...rows])}`);
  return targets.every(([, measured, most]) => measured <= most);
}
