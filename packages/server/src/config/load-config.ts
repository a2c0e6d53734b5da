import { boundsOf, removedSettings } from './bounds.ts';
import { SETTING_NAMES, SETTINGS, type Config } from './config.ts';
import { AppError } from '../domain/app-error.ts';
import { givenTextProblem, hasSurroundingSpace, inQuotes } from '../domain/characters.ts';
import { withPassword, type Database } from './database-url.ts';

type Texts = Readonly<Record<string, string | undefined>>;

/**
 * Reads every setting from the flags (by setting name) or else the environment. Throws an AppError that names
 * every fault and quotes no secret.
 */
export function loadConfig(environment: Texts, flags: Texts = {}): Config {
  const problems = removedSettings(environment, flags);
  const values = Object.fromEntries(
    SETTING_NAMES.map((name) => {
      const { env, flag: flagName, default: standard, parse } = SETTINGS[name];
      const input = flags[name] ?? environment[env];
      const problem = givenTextProblem(input ?? '');
      const parsed = problem === null ? parse(input || standard) : { allowed: `it ${problem}` };
      // A password from another system may begin or end with a space. In another setting, a space is left
      // over from a file.
      const isStray = flagName !== null && hasSurroundingSpace(input ?? '');
      const result =
        'value' in parsed && isStray ? { allowed: 'it begins or ends with white space: remove it' } : parsed;
      if ('value' in result) return [name, result.value];
      const shown = flagName === null ? 'the value given' : quoted(input ?? '');
      const source = flags[name] === undefined ? env : `--${flagName}`;
      problems.push(`${source}: ${shown} is not allowed: ${result.allowed}`);
      return [name, undefined];
    }),
  );
  const config = { ...boundsOf(environment), ...values } as unknown as Config;
  if (problems.length === 0) problems.push(...contradictions(config));
  if (problems.length > 0) throw new AppError('bad_setting', problems.join('\n'));
  return Object.freeze(withDerived(config));
}

/**
 * The value on one line, without the user and password of a URL. In a URL with a mistake, they may stand
 * anywhere.
 */
function quoted(value: string): string {
  const [scheme] = /^(postgres|redis)/i.exec(value) ?? [];
  if (scheme !== undefined) return `"${scheme}…"`;
  return inQuotes(value.replace(/^([^/@]*\/\/)?.*@/s, '$1…@'));
}

/**
 * The configuration with another port, and with the issuer and audience that follow from it. For port 0, once
 * a free port is known.
 */
export function withPort(config: Config, port: number): Config {
  const before = defaultIssuer(config);
  const issuer = config.issuer === before ? '' : config.issuer;
  const audience = config.audience === before ? '' : config.audience;
  return Object.freeze(withDerived({ ...config, port, issuer, audience }));
}

/** Names the host `localhost` if that reaches the server, else by the address on which the server listens. */
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

/** Load balancers probe every few seconds, and most need two or three failures in a row. */
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
  ].filter((problem) => problem !== '');
}
