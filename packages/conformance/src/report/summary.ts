import type { CheckResult, Outcome } from '../check.ts';

/** How many checks had each outcome. */
export interface Summary extends Record<Outcome, number> {
  failedMust: number;
  failedShould: number;
  failedMay: number;
}

export function summaryOf(results: readonly CheckResult[]): Summary {
  const count = (outcome: Outcome) => results.filter((result) => result.outcome === outcome).length;
  const failed = (level: CheckResult['level']) =>
    results.filter((result) => result.outcome === 'fail' && result.level === level).length;
  return {
    pass: count('pass'),
    fail: count('fail'),
    deviation: count('deviation'),
    'not applicable': count('not applicable'),
    needs: count('needs'),
    failedMust: failed('MUST'),
    failedShould: failed('SHOULD'),
    failedMay: failed('MAY'),
  };
}

/** The outcome in words: a server that leaves out a MAY has not failed. */
export function outcomeLabel({ outcome, level }: CheckResult): string {
  return outcome === 'fail' && level === 'MAY' ? 'not offered' : outcome;
}

export function summaryLine(results: readonly CheckResult[]): string {
  const { pass, deviation, needs, failedMust, failedShould, failedMay, ...others } = summaryOf(results);
  return [
    `${results.length} checks: ${pass} passed`,
    `${failedMust} MUST failed`,
    `${failedShould} SHOULD failed`,
    `${failedMay} MAY not offered`,
    `${deviation} declared deviations`,
    `${others['not applicable']} not applicable`,
    `${needs} need more from you`,
  ].join(', ');
}
