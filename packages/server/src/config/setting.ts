import { DURATION_EXAMPLES, durationMs, durationText } from '../lib/duration.ts';
import { Redacted } from '../lib/redacted.ts';

/** One setting: how it is named, shown, and read from a text. */
export interface Setting<T> {
  env: string;
  /** Without the dashes; null: not to be given on a command line, where other users of the machine could see it. */
  flag: string | null;
  /** In the notation of --help: `<seconds>`, `<path>`. */
  value: string;
  /** As a text, as in the environment. Empty: none, or what `help` says. */
  default: string;
  help: string;
  /** The value, or a sentence on what is allowed. */
  parse(text: string): { value: T } | { allowed: string };
}

/** Names that platforms give to what they provide. */
const COMMON: ReadonlySet<string> = new Set(['DATABASE_URL', 'REDIS_URL']);

export function setting<T>(
  env: string,
  flagName: string,
  value: string,
  standard: string,
  help: string,
  parse: Setting<T>['parse'],
): Setting<T> {
  const prefixed = COMMON.has(env) ? env : `MINTMARK_${env}`;
  return { env: prefixed, flag: flagName, value, default: standard, help, parse };
}

/** Not to be given on a command line, where other users of the machine could see it, and never to be shown. */
export function secret(env: string, value: string, help: string): Setting<Redacted | null> {
  return {
    ...setting<Redacted | null>(env, flagOf(env), value, '', help, (given) => ({
      value: given === '' ? null : new Redacted(given),
    })),
    flag: null,
  };
}

function flagOf(env: string): string {
  return env.toLowerCase().replaceAll('_', '-');
}

export function text(
  env: string,
  value: string,
  standard: string,
  help: string,
  problemOf: (text: string) => string | null = () => null,
): Setting<string> {
  return setting(env, flagOf(env), value, standard, help, (given) => {
    const problem = given === '' ? null : problemOf(given);
    return problem === null ? { value: given } : { allowed: problem };
  });
}

/** Milliseconds of the units that a setting may be counted in: it may then be given as a duration, too. */
const UNIT_MS: Readonly<Record<string, number>> = {
  '<ms>': 1,
  '<seconds>': 1000,
  '<hours>': 3_600_000,
  '<days>': 86_400_000,
};

export function whole(
  env: string,
  value: string,
  standard: number,
  min: number,
  max: number,
  help: string,
): Setting<number> {
  const unitMs = UNIT_MS[value];
  const allowed = `a whole number from ${min} to ${max}`;
  return setting(env, flagOf(env), value, String(standard), help, (given) => {
    const number = /^\d+$/.test(given) ? Number(given) : (durationMs(given) ?? NaN) / (unitMs ?? NaN);
    if (Number.isInteger(number) && number >= min && number <= max) return { value: number };
    const hasUnit = unitMs !== undefined && /^[\d.]+ *[a-z]+$/i.test(given);
    return { allowed: hasUnit ? `${allowed}, or as long with a unit: ${DURATION_EXAMPLES}` : allowed };
  });
}

/** The default as help shows it: a duration with its unit. */
export function shownDefault({ value, default: standard }: Setting<unknown>): string {
  const unitMs = UNIT_MS[value];
  return unitMs === undefined ? standard : durationText(Number(standard) * unitMs);
}

export function oneOf<const T extends string>(
  env: string,
  values: readonly T[],
  standard: T,
  help: string,
): Setting<T> {
  return setting(env, flagOf(env), `<${values.join('|')}>`, standard, help, (given) => {
    const found = values.find((value) => value === given);
    return found === undefined ? { allowed: `one of ${values.join(', ')}` } : { value: found };
  });
}

export function flag(env: string, standard: boolean, help: string): Setting<boolean> {
  return setting(env, flagOf(env), '<true|false>', String(standard), help, (given) =>
    given === 'true' || given === 'false' ? { value: given === 'true' } : { allowed: 'true or false' },
  );
}
