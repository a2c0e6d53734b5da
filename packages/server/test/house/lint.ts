// Runs the linter for the tests of the house rules.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

export const ROOT: string = join(import.meta.dirname, '../../../..');

export interface Finding {
  /** `eslint(max-params)` */
  rule: string;
  file: string;
  message: string;
}

/** What the linter finds in these paths below `folder`. */
export function lintedWith(config: string, paths: readonly string[], folder: string = ROOT): Finding[] {
  const linter = join(ROOT, 'node_modules/oxlint/bin/oxlint');
  const { stdout } = spawnSync(process.execPath, [linter, '--config', config, '--format', 'json', ...paths], {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  const { diagnostics } = JSON.parse(stdout) as {
    diagnostics: { code: string; filename: string; message: string }[];
  };
  return diagnostics.map(({ code, filename, message }) => ({ rule: code, file: filename, message }));
}
