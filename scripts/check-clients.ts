// `npm run check-clients` writes docs/check-client.md: how programs with libraries by other authors, and with ours, get
// and use tokens. A long test compares the verdicts with a run.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { markdownTable } from '../packages/conformance/src/report/markdown.ts';
import type { ClientCheck } from '../packages/server/src/server/check-client/check-client.ts';
import { columnOf, SUBJECTS, type ProgramColumn } from '../packages/server/test/check-client/subjects.ts';

export const CHECK_CLIENT_FILE: URL = new URL('../docs/check-client.md', import.meta.url);
const CLIENTS = '../packages/server/test/check-client/clients/';

const INTRODUCTION = `# Checking a client

\`mintmark check-client\` runs your program, and reports how it gets, keeps and renews tokens:

\`\`\`sh
npx mintmark check-client -- node importer.js
\`\`\`

The program runs once for each check, against a token server and an API that exist only for that run, on 127.0.0.1. It:

1. reads its credentials from \`MINTMARK_CLIENT_ID\` and \`MINTMARK_CLIENT_SECRET\`;
2. gets tokens from \`MINTMARK_TOKEN_URL\`, or finds that by discovery from \`MINTMARK_ISSUER\`;
3. sends GET requests with the token as Bearer to \`MINTMARK_API_URL\`: \`MINTMARK_CALLS\` calls, \`MINTMARK_PARALLEL\` of them at a time;
4. ends, with an exit code other than 0 if a call failed for good.

A call may be repeated, so it counts once it succeeds. The program requests no scope, or \`campaigns:read\`; \`--scope\` and
\`--audience\` allow others. A check that it did too little for is "not judged", and says why. \`--only\` chooses checks, \`--json\`
prints JSON. Exit code 6 means that a verdict is "no", or that none is "yes". A check takes seconds, except for
\`renewal\`: it waits until a token of 12 seconds has expired.
`;

const CHECKS = `## The checks

| check             | the program                                                                                                    |
| ----------------- | -------------------------------------------------------------------------------------------------------------- |
| \`cache\`           | makes 20 calls, one after the other, with one token                                                            |
| \`parallel\`        | sends one token request for 50 calls that begin together                                                       |
| \`renewal\`         | makes calls for 16 seconds, and none with an expired token                                                     |
| \`unauthorized\`    | repeats a call with a new token after a 401, because the token was revoked                                     |
| \`rotation\`        | does so for ten calls that are refused together, because the signing key was withdrawn, with one new token     |
| \`retry-after-429\` | waits as long as \`Retry-After\` of the token endpoint says, and then tries again                                |
| \`retry-after-503\` | does the same after a 503                                                                                      |
| \`forbidden\`       | has a wrong secret: it stops after one token request, or two with different ways to send the secret (RFC 6749 §2.3.1), makes no call, and ends with an exit code other than 0 |
| \`leaks\`           | prints neither its secret nor a token, in all these runs                                                       |
`;

/** The page for these results. */
function checkClientPage(columns: readonly ProgramColumn[]): string {
  return [INTRODUCTION, CHECKS, verdictSection(columns), detailSection(columns)].join('\n');
}

function verdictSection(columns: readonly ProgramColumn[]): string {
  const names = columns.map(({ name, version }) => `${name} ${version}`);
  const cells = columns.map(({ checks }) => verdictCells(checks));
  const rows = (columns[0]?.checks ?? []).map(({ name }, i) => [
    `\`${name}\``,
    ...cells.map((column) => column[i] ?? ''),
  ]);
  const libraries = columns.map(({ name, file, library }) => [`[${name}](${CLIENTS}${file})`, library]);
  return `## Eight programs

Each is what an integrator writes from the documentation of its library. What a library leaves to the program, another program may
do better: the verdicts are on these. \`npm run check-clients\` runs them and writes this page; a test compares the verdicts.
The libraries for Python, Go and Ruby are those of Debian 12.

${markdownTable(['Program', 'What its library does'], libraries)}
${markdownTable(['Check', ...names], rows)}`;
}

/** The verdicts as the page has them. */
export function verdictCells(checks: readonly ClientCheck[]): string[] {
  return checks.map(({ verdict }) => (verdict === 'no' ? '**no**' : verdict));
}

function detailSection(columns: readonly ProgramColumn[]): string {
  const rows = columns.flatMap(({ name, checks }) =>
    checks
      .filter((check) => check.verdict !== 'yes')
      .map((check) => [name, `\`${check.name}\``, check.verdict, check.detail]),
  );
  return `## Why a verdict is not "yes"\n\n${markdownTable(['Program', 'Check', 'Verdict', 'What it did'], rows)}`;
}

async function writePage(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-check-client-'));
  try {
    const columns: ProgramColumn[] = [];
    for (const subject of SUBJECTS) {
      const missing = subject.missing();
      if (missing !== null) throw new Error(`${subject.name} is missing: ${missing}`);
      process.stdout.write(`${subject.name} …\n`);
      columns.push(await columnOf(subject, folder));
    }
    writeFileSync(CHECK_CLIENT_FILE, checkClientPage(columns));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === new URL(import.meta.url).pathname) await writePage();
