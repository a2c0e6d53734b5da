import { SETTINGS, type Config } from './config.ts';
import { givenTextProblem, hasSurroundingSpace, inQuotes } from '../domain/characters.ts';
import { withPassword, type Database } from './database-url.ts';

/** A setting that cannot be: its name, the value, what is allowed. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * Reads every setting from the flags (by setting name) or else the environment. Throws a ConfigError that names all
 * that is wrong; the value of the master key is never quoted.
 */
export function loadConfig(
  environment: Readonly<Record<string, string | undefined>>,
  flags: Readonly<Partial<Record<keyof Config, string>>> = {},
): Config {
  const problems: string[] = [];
  const values = Object.fromEntries(
    (Object.keys(SETTINGS) as (keyof Config)[]).map((name) => {
      const { env, flag: flagName, default: standard, parse } = SETTINGS[name];
      const given = flags[name] ?? environment[env];
      const problem = givenTextProblem(given ?? '');
      const parsed =
        problem === null
          ? parse(given === undefined || given === '' ? standard : given)
          : { allowed: `it ${problem}` };
      const result =
        'value' in parsed && hasStraySpace(name, given ?? '')
          ? { allowed: 'it begins or ends with white space: remove it' }
          : parsed;
      if ('value' in result) return [name, result.value];
      const shown = SECRET.has(name) ? 'the value given' : quoted(given ?? '');
      const source = flags[name] === undefined ? env : `--${flagName}`;
      problems.push(`${source}: ${shown} is not allowed: ${result.allowed}`);
      return [name, undefined];
    }),
  ) as unknown as { -readonly [K in keyof Config]: Config[K] };
  if (problems.length === 0) problems.push(...contradictions(values));
  if (problems.length > 0) throw new ConfigError(problems.join('\n'));
  return Object.freeze(withDerived(values));
}

/** Passwords are chosen in other systems, and a space may be part of them. In other settings it is left over from a file. */
function hasStraySpace(name: keyof Config, given: string): boolean {
  return !SECRET.has(name) && hasSurroundingSpace(given);
}

const SECRET: ReadonlySet<keyof Config> = new Set([
  'masterKey',
  'databasePassword',
  'redisPassword',
  'redisSentinelPassword',
]);

/** On one line, and without the user and password that a URL may hold: anywhere, where it has a mistake. */
function quoted(value: string): string {
  const [scheme] = /^(postgres|redis)/i.exec(value) ?? [];
  if (scheme !== undefined) return `"${scheme}…"`;
  return inQuotes(value.replace(/^([^/@]*\/\/)?.*@/s, '$1…@'));
}

/** The same with another port, and what follows from it: for port 0, once a free one is found. */
export function withPort(config: Config, port: number): Config {
  const before = defaultIssuer(config);
  const issuer = config.issuer === before ? '' : config.issuer;
  const audience = config.audience === before ? '' : config.audience;
  return Object.freeze(withDerived({ ...config, port, issuer, audience }));
}

/** `localhost` for whatever it reaches; else the address that is listened on. */
function defaultIssuer({ host, port, basePath }: Pick<Config, 'host' | 'port' | 'basePath'>): string {
  const isLocal = ['127.0.0.1', '::1', '0.0.0.0', '::', 'localhost'].includes(host);
  const name = isLocal ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return `http://${name}:${port}${basePath}`;
}

function withDerived(config: Config): Config {
  const issuer = config.issuer || defaultIssuer(config);
  return {
    ...config,
    issuer,
    audience: config.audience || issuer,
    databaseUrl: databaseOf(config),
    staleDrainSeconds: config.staleDrainSeconds || Math.min(STALE_DRAIN_SECONDS, config.staleMaxSeconds / 4),
    processes: config.processes || Math.max(1, config.workers),
    masterKeyFile: config.masterKeyFile || `${config.dataDir}/master.key`,
  };
}

/** Load balancers ask every few seconds, and most want to hear of a failure two or three times. */
const STALE_DRAIN_SECONDS = 15;

function databaseOf({ databaseUrl, databasePassword, dataDir }: Config): Database {
  const isDefault = databaseUrl.kind === 'sqlite' && databaseUrl.path === '';
  if (isDefault) return { kind: 'sqlite', path: `${dataDir}/mintmark.db` };
  return withPassword(databaseUrl, databasePassword);
}

function contradictions(config: Config): string[] {
  return [
    config.keyAnnounceSeconds < 2 * config.jwksMaxAgeSeconds
      ? `${SETTINGS.keyAnnounceSeconds.env}: ${config.keyAnnounceSeconds} is not allowed: at least twice ` +
        `${SETTINGS.jwksMaxAgeSeconds.env} (${config.jwksMaxAgeSeconds}), or a new key would sign before all verifiers know it`
      : '',
    config.staleDrainSeconds >= config.staleMaxSeconds
      ? `${SETTINGS.staleDrainSeconds.env}: ${config.staleDrainSeconds} is not allowed: less than ` +
        `${SETTINGS.staleMaxSeconds.env} (${config.staleMaxSeconds})`
      : '',
    config.requestTimeoutMs < config.headersTimeoutMs
      ? `${SETTINGS.requestTimeoutMs.env}: ${config.requestTimeoutMs} is not allowed: at least ` +
        `${SETTINGS.headersTimeoutMs.env} (${config.headersTimeoutMs})`
      : '',
  ].filter((problem) => problem !== '');
}
