import { AppError } from '../domain/app-error.ts';
import { jsonTextFault } from '../domain/characters.ts';
import type { Fault } from '../domain/fault.ts';
import type { TextLine } from '../lib/text-lines.ts';

// Lines of an import: what they hold, and how a refusal of one is reported.

export function jsonOf(text: TextLine['text']): unknown {
  if (typeof text !== 'string') throw new AppError('invalid', text.problem);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new AppError('invalid', 'The line is not JSON: write one JSON object a line.');
  }
  const fault = text.includes('\\u') ? jsonTextFault(value) : null;
  if (fault !== null) throw invalid([fault]);
  return value;
}

export function invalid(faults: readonly Fault[]): AppError {
  const said = faults.map(({ member, problem }) => (member === '' ? problem : `${member}: ${problem}`));
  return new AppError('invalid', said.join(' '), { faults });
}

/** Characters of a message, which may quote the input. */
const DETAIL_LENGTH_MAX = 500;
const FAULTS_MAX = 10;

/** A refused line, as the command line and the admin API report it. */
export function refusedLineJson(line: number, { code, message, faults }: AppError): Record<string, unknown> {
  return {
    line,
    outcome: 'refused',
    code,
    detail: short(message),
    errors: faults
      .slice(0, FAULTS_MAX)
      .map(({ member, problem }) => ({ pointer: member === '' ? '' : `/${member}`, detail: short(problem) })),
  };
}

function short(text: string): string {
  return text.length > DETAIL_LENGTH_MAX ? `${text.slice(0, DETAIL_LENGTH_MAX - 1)}…` : text;
}
