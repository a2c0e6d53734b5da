import type { CheckResult } from '../check.ts';
import { outcomeLabel, summaryLine } from './summary.ts';

export function markdownReport(url: string, results: readonly CheckResult[]): string {
  const rows = results.map((result) => {
    const { id, section, level, rule, detail, reason } = result;
    const outcome = [outcomeLabel(result), detail, reason].filter((text) => text !== null).join(': ');
    return [`\`${id}\``, section, level, rule, outcome];
  });
  return `# Conformance of ${url}\n\n${summaryLine(results)}.\n\n${markdownTable(
    ['Check', 'Section', 'Level', 'Rule', 'Outcome'],
    rows,
  )}`;
}

export function markdownTable(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |\n`;
  return line(heading) + line(heading.map(() => '---')) + rows.map(line).join('');
}

function cell(text: string): string {
  return text
    .replaceAll('|', String.raw`\|`)
    .replaceAll('<', '&lt;')
    .replaceAll(/\s+/g, ' ');
}
