import type { CheckResult } from '../check.ts';
import { summaryOf } from './summary.ts';

export function jsonReport(url: string, results: readonly CheckResult[]): string {
  return `${JSON.stringify({ url, summary: summaryOf(results), results }, null, 2)}\n`;
}
