import { readFileSync, writeFileSync } from 'node:fs';
import type { CheckResult } from './check.ts';
import { CHECKS } from './checks/all.ts';
import { unusedDeviations } from './deviation.ts';
import { HELP } from './help.ts';
import { readArguments, type Command, type Page } from './options.ts';
import { jsonReport } from './report/json.ts';
import { junitReport } from './report/junit.ts';
import { markdownReport } from './report/markdown.ts';
import { summaryOf } from './report/summary.ts';
import { textReport } from './report/text.ts';
import { runChecks } from './run-checks.ts';

export const EXIT = { ok: 0, failed: 1, usage: 2, unreachable: 3 } as const;

export interface Io {
  out(text: string): void;
  err(text: string): void;
}

/* oxlint-disable no-console -- a command line prints */
const processIo: Io = { out: (text) => console.log(text), err: (text) => console.error(text) };
/* oxlint-enable no-console */

/** Runs the command line; resolves to its exit code. */
export async function run(argv: readonly string[], io: Io = processIo): Promise<number> {
  const command = readArguments(argv, (path) => readFileSync(path, 'utf8'));
  if (typeof command === 'string') {
    io.out(PAGES[command]());
    return EXIT.ok;
  }
  return 'faults' in command ? usage(command.faults, io) : await check(command, io);
}

const PAGES: Readonly<Record<Page, () => string>> = { help: () => HELP, list, version };

function usage(faults: readonly string[], io: Io): number {
  for (const fault of faults) io.err(`mintmark-conformance: ${fault}`);
  io.err('(--help shows the arguments and an example)');
  return EXIT.usage;
}

async function check({ target, deviations, only, isStrict, files }: Command, io: Io): Promise<number> {
  let results: CheckResult[];
  try {
    results = await runChecks(target, { deviations, ...(only !== undefined && { only }) });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    io.err(`mintmark-conformance: ${JSON.stringify(target.url)} cannot be reached: ${message || code}`);
    return EXIT.unreachable;
  }
  io.out(textReport(results));
  if (files.json !== undefined) writeFileSync(files.json, jsonReport(target.url, results));
  if (files.junit !== undefined) writeFileSync(files.junit, junitReport(target.url, results));
  if (files.markdown !== undefined) writeFileSync(files.markdown, markdownReport(target.url, results));
  const unused = unusedDeviations(deviations, results);
  for (const deviation of unused) {
    io.err(
      `mintmark-conformance: the declared deviation of ${deviation.check} was not seen: remove it, or correct "seen".`,
    );
  }
  const { failedMust, failedShould } = summaryOf(results);
  const hasFailed = failedMust > 0 || (isStrict && failedShould > 0) || unused.length > 0;
  return hasFailed ? EXIT.failed : EXIT.ok;
}

function list(): string {
  return CHECKS.map(({ id, section, level, rule }) => `${id}\n    ${level}, ${section}: ${rule}`).join('\n');
}

function version(): string {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
