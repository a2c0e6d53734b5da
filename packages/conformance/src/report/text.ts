import type { CheckResult } from '../check.ts';
import { outcomeLabel, summaryLine } from './summary.ts';

const LABEL_WIDTH = 'not applicable'.length;

/** The report for a terminal: passes in one line each, failures with what was sent and seen. */
export function textReport(results: readonly CheckResult[]): string {
  return `${results.map((result) => textOf(result)).join('\n')}\n\n${summaryLine(results)}.`;
}

function textOf(result: CheckResult): string {
  const { id, section, level, rule, detail, reason, exchanges } = result;
  const label = outcomeLabel(result);
  const first = `${label.padEnd(LABEL_WIDTH)}  ${level.padEnd('SHOULD'.length)}  ${id}  (${section})`;
  if (label === 'pass') return first;
  const lines = [rule, detail, reason === null ? null : `Declared: ${reason}`];
  const seen =
    label === 'fail'
      ? exchanges.map(({ request, answer }) => `${marked('>', request)}\n${marked('<', answer)}`)
      : [];
  return [first, ...lines.filter((line) => line !== null).map((line) => `    ${line}`), ...seen].join('\n');
}

function marked(mark: string, text: string): string {
  return text
    .split('\n')
    .map((line) => `      ${mark} ${line}`.trimEnd())
    .join('\n');
}
