import type { CheckResult } from '../check.ts';

/** JUnit's XML, as build servers read it. Only a failed MUST is a failure there. */
export function junitReport(url: string, results: readonly CheckResult[]): string {
  const cases = results.map((result) => testCase(result)).join('');
  const failures = results.filter(isFailure).length;
  const skipped = results.filter((result) => result.outcome !== 'pass' && !isFailure(result)).length;
  return (
    '<?xml version="1.0" encoding="UTF-8"?>\n' +
    `<testsuites>\n<testsuite name="mintmark-conformance ${escaped(url)}" tests="${results.length}" ` +
    `failures="${failures}" errors="0" skipped="${skipped}">\n${cases}</testsuite>\n</testsuites>\n`
  );
}

function isFailure({ outcome, level }: CheckResult): boolean {
  return outcome === 'fail' && level === 'MUST';
}

function testCase(result: CheckResult): string {
  const { id, section, level, rule, outcome, detail, reason, exchanges } = result;
  const opening = `<testcase classname="${escaped(section)}" name="${escaped(`${id}: ${level}: ${rule}`)}"`;
  if (outcome === 'pass') return `${opening}/>\n`;
  if (!isFailure(result)) {
    const message = escaped([outcome, detail, reason].filter((text) => text !== null).join(': '));
    return `${opening}><skipped message="${message}"/></testcase>\n`;
  }
  const seen = exchanges.map(({ request, answer }) => `> ${request}\n\n< ${answer}`).join('\n\n');
  return `${opening}><failure message="${escaped(detail ?? '')}">${escaped(seen)}</failure></testcase>\n`;
}

/** XML 1.0 allows no control characters, not even escaped. */
function escaped(text: string): string {
  return (
    text
      // oxlint-disable-next-line no-control-regex -- these are the characters that XML forbids
      .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
  );
}
