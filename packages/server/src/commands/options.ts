import { InvalidArgumentError, Option, type Command } from 'commander';
import { CLOCK_NOTICE_MS } from '../runtime/clock-watch.ts';
import { boundFlag, FORMER_SETTINGS } from '../config/bounds.ts';
import { SETTING_NAMES, SETTINGS, type Config, type SettingName } from '../config/config.ts';
import { DURATION_EXAMPLES, durationMs, durationText } from '../lib/duration.ts';
import { holdsPassword } from '../config/database-url.ts';
import { givenTextProblem, inQuotes } from '../domain/characters.ts';
import { AppError } from '../domain/app-error.ts';
import { holdsRedisPassword } from '../config/redis-url.ts';
import { loadConfig } from '../config/load-config.ts';
import { openMigratedStore } from '../store-files/open.ts';
import { recordedIssuer } from '../admin/issuer.ts';
import { shownDefault } from '../config/setting.ts';
import { bothClocks } from '../storage/tables/clock.ts';
import type { Store } from '../storage/store.ts';
import type { Io } from './io.ts';

/** Adds settings as options. The environment supplies the settings that the command line omits. */
export function addSettings(command: Command, names: readonly SettingName[]): Command {
  for (const name of names) {
    const { flag, value, env, default: standard, help } = SETTINGS[name];
    if (flag === null) continue;
    const withDefault = standard === '' ? help : `${help} [default: ${shownDefault(SETTINGS[name])}]`;
    command.addOption(new Option(`--${flag} ${value}`, `${withDefault} [${env}]`));
  }
  return command;
}

/** Hides the flags of former settings from --help. `loadConfig` explains what became of them. */
export function addRemovedSettings(command: Command): void {
  for (const name of Object.keys(FORMER_SETTINGS)) {
    command.addOption(new Option(`--${boundFlag(name)} <value>`).hideHelp());
  }
}

export const STORE_SETTINGS: readonly SettingName[] = ['dataDir', 'databaseUrl', 'masterKeyFile'];

/** The settings that decide which server the printed lines and links name. */
export const URL_SETTINGS: readonly SettingName[] = ['issuer', 'host', 'port', 'basePath'];

export const URL_HELP: string =
  '\nPrinted URLs name the server that last started on this store. To name another one, use --issuer, --host, --port,\n' +
  '--base-path, MINTMARK_ISSUER or MINTMARK_PORT.\n';

/**
 * The issuer in the URLs that a command prints. Options, MINTMARK_ISSUER and MINTMARK_PORT decide it, unless
 * the port is 0. Otherwise it is the issuer of the server that started last on this store.
 */
export async function issuerFor(command: Command, io: Io, store: Store, config: Config): Promise<string> {
  const inOptions = (name: SettingName) => flagOf(command, name) !== undefined;
  const inEnvironment = (name: SettingName) => (io.env[SETTINGS[name].env] ?? '') !== '';
  const isNamed = URL_SETTINGS.some(inOptions) || inEnvironment('issuer') || inEnvironment('port');
  const isKnown = isNamed && new URL(config.issuer).port !== '0';
  return isKnown ? config.issuer : ((await recordedIssuer(store)) ?? config.issuer);
}

/** The configuration for a command: its options override the environment. */
export function configOf(command: Command, io: Io): Config {
  const flags: Partial<Record<string, string>> = {};
  for (const name of SETTING_NAMES) flags[name] = flagOf(command, name);
  for (const name of Object.keys(FORMER_SETTINGS)) flags[name] = optionOf(command, boundFlag(name));
  warnOfPassword(flags['databaseUrl'] ?? '', io);
  if (holdsRedisPassword(flags['redisUrl'] ?? ''))
    io.err(passwordWarning('REDIS_URL', 'MINTMARK_REDIS_PASSWORD'));
  return loadConfig(io.env, flags);
}

function flagOf(command: Command, name: SettingName): string | undefined {
  const { flag } = SETTINGS[name];
  return flag === null ? undefined : optionOf(command, flag);
}

function optionOf(command: Command, flag: string): string | undefined {
  const value = command.opts<Record<string, unknown>>()[camelCase(flag)];
  return typeof value === 'string' ? value : undefined;
}

/**
 * Throws an AppError if an argument is not UTF-8 or holds a control character. No caller needs one, and a
 * name or path with a control character looks like a different one. `configOf` checks the settings.
 */
export function refuseArguments(command: Command): void {
  const settings = new Set(Object.values(SETTINGS).map(({ flag }) => (flag === null ? '' : camelCase(flag))));
  const options = Object.entries(command.opts<Record<string, unknown>>());
  const values = [
    ...command.args,
    ...options.flatMap(([name, value]) => (settings.has(name) ? [] : [value])),
  ];
  for (const argument of values.flat()) {
    const problem = typeof argument === 'string' ? givenTextProblem(argument) : null;
    if (problem !== null)
      throw new AppError('invalid', `The argument ${inQuotes(String(argument))} ${problem}.`);
  }
}

export function warnOfPassword(url: string, io: Io): void {
  if (holdsPassword(url)) io.err(passwordWarning('DATABASE_URL', 'MINTMARK_DATABASE_PASSWORD'));
}

function passwordWarning(url: string, password: string): string {
  return (
    `mintmark: a password on a command line can be read by every user of this machine: set ${url}, or ` +
    `${password}, instead.`
  );
}

/** Opens the store, runs `work`, and closes the store. */
export async function withStore<T>(
  command: Command,
  io: Io,
  work: (store: Store, config: Config) => Promise<T>,
): Promise<T> {
  const config = configOf(command, io);
  const store = await openMigratedStore(config);
  try {
    await warnOfClock(store, io);
    return await work(store, config);
  } finally {
    await store.close();
  }
}

/** Commands date their changes with the clock of this machine. */
async function warnOfClock(store: Store, io: Io): Promise<void> {
  const { earlier, later } = await bothClocks(store.clock);
  if (later - earlier <= CLOCK_NOTICE_MS) return;
  io.err(
    `mintmark: the clock of this machine and that of the store differ by ${Math.round((later - earlier) / 1000)} s: ` +
      'times may be wrong. See mintmark doctor.',
  );
}

/** A subcommand that works on the store, with the options that all such commands share. */
export function storeCommand(parent: Command, nameAndArguments: string, description: string): Command {
  const command = parent.command(nameAndArguments).description(description);
  command.option('--json', 'Print JSON.');
  return command;
}

/** Argument parser for commander: converts `90d`, `24h`, `30m`, `10s` or `0` to milliseconds. */
export function duration(text: string): number {
  const ms = text === '0' ? 0 : durationMs(text);
  if (ms === null) throw new InvalidArgumentError(`Give a number with a unit: ${DURATION_EXAMPLES}.`);
  return ms;
}

/** An option whose value is a duration, with a default in milliseconds. */
export function durationOption(flags: string, help: string, standardMs: number): Option {
  return new Option(flags, help).argParser(duration).default(standardMs, durationText(standardMs));
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('Give a whole number.');
  return Number(text);
}

/** Like `wholeNumber`, but refuses zero. */
export function atLeastOne(text: string): number {
  const number = wholeNumber(text);
  if (number === 0) throw new InvalidArgumentError('Give a whole number from 1 on.');
  return number;
}

/** Collects URIs from a repeated option or a list with spaces. URIs may hold commas. */
export function severalUris(text: string, before: string[] | undefined): string[] {
  return [...(before ?? []), ...text.split(/\s+/).filter((item) => item !== '')];
}

/** Collects values from a repeated option or a list with commas or spaces. */
export function several(text: string, before: string[] | undefined): string[] {
  return [...(before ?? []), ...text.split(/[\s,]+/).filter((item) => item !== '')];
}

function camelCase(flag: string): string {
  return flag.replaceAll(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
