import { InvalidArgumentError, Option, type Command } from 'commander';
import { CLOCK_NOTICE_MS } from '../clock-watch.ts';
import { SETTINGS, type Config } from '../config.ts';
import { holdsPassword } from '../database-url.ts';
import { holdsRedisPassword } from '../redis-url.ts';
import { loadConfig } from '../load-config.ts';
import { openMigratedStore } from '../manage/open-store.ts';
import { bothClocks } from '../storage/clock.ts';
import type { Store } from '../storage/store.ts';
import type { Io } from './io.ts';

type SettingName = keyof Config;

/** Adds settings as options; those not given come from the environment. */
export function addSettings(command: Command, names: readonly SettingName[]): Command {
  for (const name of names) {
    const { flag, value, env, default: standard, help } = SETTINGS[name];
    if (flag === null) continue;
    const shownDefault = standard === '' ? '' : ` [default: ${standard}]`;
    command.addOption(new Option(`--${flag} ${value}`, `${help}${shownDefault} [${env}]`));
  }
  return command;
}

export const STORE_SETTINGS: readonly SettingName[] = ['dataDir', 'databaseUrl', 'masterKeyFile'];

/** The configuration for a command: its own options before the environment. */
export function configOf(command: Command, io: Io): Config {
  const options = command.opts<Record<string, unknown>>();
  const flags: Partial<Record<SettingName, string>> = {};
  for (const name of Object.keys(SETTINGS) as SettingName[]) {
    const { flag } = SETTINGS[name];
    const given = flag === null ? undefined : options[camelCase(flag)];
    if (typeof given === 'string') flags[name] = given;
  }
  warnOfPassword(flags.databaseUrl ?? '', io);
  if (holdsRedisPassword(flags.redisUrl ?? ''))
    io.err(passwordWarning('REDIS_URL', 'MINTMARK_REDIS_PASSWORD'));
  return loadConfig(io.env, flags);
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

/** Opens the store for one piece of work and closes it again. */
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

/** What a command writes is dated by the clock of its machine. */
async function warnOfClock(store: Store, io: Io): Promise<void> {
  const { earlier, later } = await bothClocks(store.clock);
  if (later - earlier <= CLOCK_NOTICE_MS) return;
  io.err(
    `mintmark: the clock of this machine and that of the store differ by ${Math.round((later - earlier) / 1000)} s: ` +
      'times may be wrong. See mintmark doctor.',
  );
}

/** A subcommand that works on the store, with the options that all of them have. */
export function storeCommand(parent: Command, nameAndArguments: string, description: string): Command {
  const command = parent.command(nameAndArguments).description(description);
  command.option('--json', 'Print JSON.');
  return command;
}

const UNITS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90d`, `24h`, `30m`, `10s` or `0` in milliseconds: an argument parser for commander. */
export function duration(text: string): number {
  const [, number = '', unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (text === '0') return 0;
  if (number === '') throw new InvalidArgumentError('Give a number with a unit: 90d, 24h, 30m or 10s.');
  return Number(number) * (UNITS[unit] ?? 0);
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('Give a whole number.');
  return Number(text);
}

/** The same without zero. */
export function atLeastOne(text: string): number {
  const number = wholeNumber(text);
  if (number === 0) throw new InvalidArgumentError('Give a whole number from 1 on.');
  return number;
}

/** Collects URIs, in which a comma may stand: an option that is given several times, or once with spaces between. */
export function severalUris(text: string, before: string[] | undefined): string[] {
  return [...(before ?? []), ...text.split(/\s+/).filter((item) => item !== '')];
}

/** Collects an option that may be given several times, or once with commas or spaces between. */
export function several(text: string, before: string[] | undefined): string[] {
  return [...(before ?? []), ...text.split(/[\s,]+/).filter((item) => item !== '')];
}

function camelCase(flag: string): string {
  return flag.replaceAll(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
