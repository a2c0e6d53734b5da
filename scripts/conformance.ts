// `npm run conformance` writes docs/conformance.md: every check of @mintmark/conformance on Mintmark and on servers by
// other authors. A test compares the page with a run, so that every change of an outcome shows in review.
import { writeFileSync } from 'node:fs';
import { checkSubjects, type Column } from '../packages/conformance/test/support/subjects.ts';
import { summaryOf, type CheckResult } from '../packages/conformance/src/index.ts';
import { markdownTable } from '../packages/conformance/src/report/markdown.ts';
import { outcomeLabel } from '../packages/conformance/src/report/summary.ts';

export const CONFORMANCE_FILE: URL = new URL('../docs/conformance.md', import.meta.url);

const INTRODUCTION = `# Conformance

[@mintmark/conformance](../packages/conformance/README.md) checks any token server for machines from outside. This page has its
results for Mintmark and for two servers by other authors, each set up so that every check that applies to it can run.
\`npm run conformance\` writes the page. A test compares it with a run.

oidc-provider has two columns, because it neither introspects nor revokes its JWTs. node-oauth2-server is a library without
metadata, introspection, and revocation; it runs behind a small server that only reads forms.

- **pass**: the server follows the rule.
- **fail**: it does not. **not offered**: the standard says MAY, and the server does not.
- **deviation**: the server does otherwise on purpose, and its documentation says so.
- **n/a**: the rule does not apply to this server.
`;

/** The page for these results. */
export function conformancePage(columns: readonly Column[]): string {
  const names = columns.map(({ name, version }) => `${name} ${version}`);
  const [first] = columns;
  const rows = (first?.results ?? []).map(({ id, section, level, rule }, i) => [
    `\`${id}\``,
    section,
    level,
    rule,
    ...columns.map(({ results }) => label(results[i])),
  ]);
  return [
    INTRODUCTION,
    `## Summary\n\n${summaryTable(columns, names)}`,
    `## Failures and deviations\n\n${failureTable(columns)}`,
    `## Every check\n\n${markdownTable(['Check', 'Section', 'Level', 'Rule', ...names], rows)}`,
    `## What does not apply\n\n${notApplicableTable(columns)}`,
  ].join('\n');
}

function label(result: CheckResult | undefined): string {
  if (result === undefined) return '';
  const outcome = outcomeLabel(result);
  if (outcome === 'not applicable') return 'n/a';
  return outcome === 'pass' ? outcome : `**${outcome}**`;
}

function summaryTable(columns: readonly Column[], names: readonly string[]): string {
  const summaries = columns.map(({ results }) => summaryOf(results));
  const lines = [
    ['pass', 'pass'],
    ['failedMust', 'fail, MUST'],
    ['failedShould', 'fail, SHOULD'],
    ['failedMay', 'not offered, MAY'],
    ['deviation', 'deviation'],
    ['not applicable', 'n/a'],
    ['needs', 'not tried'],
  ] as const;
  const rows = lines.map(([member, text]) => [text, ...summaries.map((each) => String(each[member]))]);
  return markdownTable(['', ...names], rows);
}

function failureTable(columns: readonly Column[]): string {
  const rows = columns.flatMap(({ name, version, results }) =>
    results
      .filter(({ outcome }) => outcome === 'fail' || outcome === 'deviation')
      .map((result) => [
        `${name} ${version}`,
        `\`${result.id}\``,
        result.level,
        [result.detail, result.reason].filter((text) => text !== null).join(' '),
      ]),
  );
  return markdownTable(['Server', 'Check', 'Level', 'What the server does'], rows);
}

function notApplicableTable(columns: readonly Column[]): string {
  const rows = columns.flatMap(({ name, version, results }) => {
    const reasons = new Map<string, string[]>();
    for (const { id, outcome, detail } of results) {
      if (outcome !== 'not applicable' || detail === null) continue;
      reasons.set(detail, [...(reasons.get(detail) ?? []), `\`${id}\``]);
    }
    return Array.from(reasons, ([reason, ids]) => [`${name} ${version}`, reason, ids.join(', ')]);
  });
  return markdownTable(['Server', 'Reason', 'Checks'], rows);
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  writeFileSync(CONFORMANCE_FILE, conformancePage(await checkSubjects()));
}
