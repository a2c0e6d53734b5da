import type { Command } from 'commander';
import type { Finding } from '../doctor/finding.ts';
import { diagnose } from '../doctor/doctor.ts';
import { AppError } from '../domain/app-error.ts';
import { json, type Io } from './io.ts';
import { addSettings, storeCommand, STORE_SETTINGS } from './options.ts';

const MARKS = { ok: 'ok  ', warn: 'WARN', fail: 'FAIL' } as const;

export function doctorCommand(program: Command, io: Io): void {
  const command = storeCommand(
    program,
    'doctor',
    'Check configuration, store, keys, clock, file modes and Redis. Changes nothing.',
  );
  addSettings(command, [...STORE_SETTINGS, 'redisUrl']).addHelpText(
    'after',
    '\nExample:\n  mintmark doctor --data-dir ./data',
  );
  command.action(async (options: { json?: boolean }) => {
    const findings = await diagnose(command.opts(), io.env);
    if (options.json === true) io.out(json(findings));
    else io.out(findings.map(line).join('\n'));
    const failed = findings.filter((finding) => finding.state === 'fail').length;
    if (failed > 0) throw new AppError('check_failed', `${failed} of ${findings.length} checks failed.`);
  });
}

function line({ state, what, detail, mend }: Finding): string {
  return `${MARKS[state]}  ${what.padEnd(14)}  ${detail}${mend === undefined ? '' : `\n      → ${mend}`}`;
}
