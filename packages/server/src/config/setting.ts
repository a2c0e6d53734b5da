import { parseDatabaseUrl, type Database } from './database-url.ts';
import { resourceProblem } from '../domain/grant.ts';
import { SIGNING_ALGORITHMS, type SigningAlgorithm } from '../domain/signing-algorithm.ts';
import { DURATION_EXAMPLES, durationMs, durationText } from '../lib/duration.ts';
import { LOG_FORMATS, type LogFormat } from '../lib/log-text.ts';
import { Redacted } from '../lib/redacted.ts';
import { parseRedisUrl, type RedisAddress } from './redis-url.ts';
import {
  basePathProblem,
  headerName,
  issuerProblem,
  keyHosts,
  masterKey,
  networkList,
  prefixProblem,
  type KeyHost,
} from './setting-values.ts';

/** The value of a setting of each type. */
export interface SettingTypes {
  whole: number;
  text: string;
  flag: boolean;
  secret: Redacted | null;
  basePath: string;
  issuer: string;
  audience: string;
  database: Database;
  masterKey: Redacted | null;
  networks: readonly string[];
  keyHosts: readonly KeyHost[];
  /** In lower case, as node:http names headers. */
  header: string;
  redis: RedisAddress | null;
  redisPrefix: string;
  logLevel: string;
  logFormat: LogFormat;
  signingAlgorithm: SigningAlgorithm;
}

/**
 * A setting as `settings/<topic>.ts` writes it. A choice has no `value`: `settingOf` derives it from the
 * choices.
 */
export type Definition = { readonly env: string; readonly help: string } & (
  | { readonly type: Exclude<keyof SettingTypes, 'whole'>; readonly value?: string; readonly default: string }
  | {
      readonly type: 'whole';
      readonly value: string;
      readonly default: number;
      readonly min: number;
      readonly max: number;
    }
);

/** One setting: its names, its form in --help, and how to read it from a text. */
export interface Setting<T> {
  env: string;
  /** Without the dashes; null for secrets, since other users of the machine can see a command line. */
  flag: string | null;
  /** In the notation of --help: `<seconds>`, `<path>`. */
  value: string;
  /** As a text, as in the environment. Empty: none, or the one that `help` names. */
  default: string;
  help: string;
  parse(text: string): Parsed<T>;
}

/** The value, or a sentence on what is allowed. */
type Parsed<T> = { value: T } | { allowed: string };

const CHOICES: Readonly<Partial<Record<keyof SettingTypes, readonly string[]>>> = {
  logLevel: ['trace', 'debug', 'info', 'warn', 'error', 'silent'],
  logFormat: LOG_FORMATS,
  signingAlgorithm: SIGNING_ALGORITHMS,
};

const PARSERS: { readonly [T in keyof SettingTypes]?: (text: string) => Parsed<SettingTypes[T]> } = {
  text: (text) => ({ value: text }),
  flag: (text) =>
    text === 'true' || text === 'false' ? { value: text === 'true' } : { allowed: 'true or false' },
  secret: (text) => ({ value: text === '' ? null : new Redacted(text) }),
  basePath: (text) => checked(text, basePathProblem),
  issuer: (text) => checked(text, issuerProblem),
  audience: (text) => checked(text, resourceProblem),
  redisPrefix: (text) => checked(text, prefixProblem),
  database: parseDatabaseUrl,
  redis: parseRedisUrl,
  masterKey,
  networks: networkList,
  keyHosts,
  header: headerName,
};

const SECRET_TYPES: ReadonlySet<keyof SettingTypes> = new Set(['secret', 'masterKey']);

export function settingOf(definition: Definition): Setting<unknown> {
  const { type, env, help } = definition;
  const choices = CHOICES[type];
  return {
    env,
    flag: SECRET_TYPES.has(type) ? null : env.replace('MINTMARK_', '').toLowerCase().replaceAll('_', '-'),
    value: choices === undefined ? (definition.value ?? '') : `<${choices.join('|')}>`,
    default: String(definition.default),
    help,
    parse: (text) => {
      if (definition.type === 'whole') return wholeNumber(text, definition);
      if (choices !== undefined) return choice(text, choices);
      return PARSERS[type]?.(text) ?? { value: text };
    },
  };
}

function checked(text: string, problemOf: (text: string) => string | null): Parsed<string> {
  const problem = text === '' ? null : problemOf(text);
  return problem === null ? { value: text } : { allowed: problem };
}

function choice(text: string, choices: readonly string[]): Parsed<string> {
  return choices.includes(text) ? { value: text } : { allowed: `one of ${choices.join(', ')}` };
}

/**
 * Milliseconds of the units of settings. In the text of such a setting, another unit may follow the number.
 */
const UNIT_MS: Readonly<Record<string, number>> = {
  '<ms>': 1,
  '<seconds>': 1000,
  '<hours>': 3_600_000,
  '<days>': 86_400_000,
};

function wholeNumber(
  text: string,
  { value, min, max }: Extract<Definition, { type: 'whole' }>,
): Parsed<number> {
  const unitMs = UNIT_MS[value];
  const number = /^\d+$/.test(text) ? Number(text) : (durationMs(text) ?? NaN) / (unitMs ?? NaN);
  if (Number.isInteger(number) && number >= min && number <= max) return { value: number };
  const allowed = `a whole number from ${min} to ${max}`;
  const hasUnit = unitMs !== undefined && /^[\d.]+ *[a-z]+$/i.test(text);
  return { allowed: hasUnit ? `${allowed}, or as long with a unit: ${DURATION_EXAMPLES}` : allowed };
}

/** The default as help shows it: a duration with its unit. */
export function shownDefault({ value, default: standard }: Setting<unknown>): string {
  const unitMs = UNIT_MS[value];
  return unitMs === undefined ? standard : durationText(Number(standard) * unitMs);
}
