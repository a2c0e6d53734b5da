import type { Redacted } from '../../lib/redacted.ts';
import { parseRedisUrl, type RedisAddress } from '../redis-url.ts';
import { secret, setting, text, whole, type Setting } from '../setting.ts';
import type { RedisTarget } from '../../storage/redis/target.ts';

/** The settings for limits that several processes count together; a part of `Config`. */
export interface SharingConfig {
  /** Null: each process has limits of its own. */
  readonly redisUrl: RedisAddress | null;
  readonly redisPassword: Redacted | null;
  readonly redisSentinelPassword: Redacted | null;
  readonly redisPrefix: string;
  readonly redisCaFile: string;
  readonly redisCertFile: string;
  readonly redisKeyFile: string;
  /** At least 1. */
  readonly processes: number;
  readonly limitsDeadlineMs: number;
}

export const SHARING_SETTINGS: { readonly [K in keyof SharingConfig]: Setting<SharingConfig[K]> } = {
  redisUrl: setting(
    'REDIS_URL',
    'redis-url',
    '<url>',
    '',
    'Where all processes count limits together: redis://<host>, rediss:// (TLS), redis+cluster:// or redis+sentinel://. Default: each process has limits of its own.',
    parseRedisUrl,
  ),
  redisPassword: secret('REDIS_PASSWORD', '<password>', 'Password for Redis, where REDIS_URL holds none.'),
  redisSentinelPassword: secret(
    'REDIS_SENTINEL_PASSWORD',
    '<password>',
    'Password for the Sentinels, where they want one.',
  ),
  redisPrefix: text(
    'REDIS_PREFIX',
    '<name>',
    'mintmark',
    'What keys in Redis begin with; another one for each deployment on the same Redis.',
    prefixProblem,
  ),
  redisCaFile: text(
    'REDIS_CA_FILE',
    '<path>',
    '',
    'Authorities (PEM) of which one has signed the certificate of Redis. Default: those that Node knows.',
  ),
  redisCertFile: text(
    'REDIS_CERT_FILE',
    '<path>',
    '',
    'Certificate (PEM) by which this process proves itself to Redis.',
  ),
  redisKeyFile: text('REDIS_KEY_FILE', '<path>', '', 'Its private key (PEM).'),
  processes: whole(
    'PROCESSES',
    '<number>',
    0,
    0,
    10_000,
    'How many processes share the limits: while they cannot, each lets that part of a limit through. 0: as many as this command starts.',
  ),
  limitsDeadlineMs: whole(
    'LIMITS_DEADLINE',
    '<ms>',
    50,
    5,
    5000,
    'Shared limits have so long to answer; then the request is decided by what its process knows.',
  ),
};

function prefixProblem(prefix: string): string | null {
  return /^[A-Za-z0-9._:-]{1,64}$/.test(prefix)
    ? null
    : 'at most 64 letters, digits and the characters . _ : -';
}

/** Which Redis that is, and how to sign in; null: none. */
export function redisTargetOf(config: SharingConfig): RedisTarget | null {
  const { redisUrl, redisPassword, redisSentinelPassword: sentinelPassword } = config;
  if (redisUrl === null) return null;
  const { encrypted, ...address } = redisUrl;
  const tls = {
    authoritiesFile: config.redisCaFile || null,
    certificateFile: config.redisCertFile || null,
    keyFile: config.redisKeyFile || null,
  };
  return {
    ...address,
    password: address.password ?? redisPassword,
    sentinelPassword,
    tls: encrypted ? tls : null,
  };
}
