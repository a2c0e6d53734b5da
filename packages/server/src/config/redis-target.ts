import type { Config } from './config.ts';
import type { RedisTarget } from '../storage/redis/target.ts';

/** The Redis of the settings, and how to sign in; null: none. */
export function redisTargetOf(config: Config): RedisTarget | null {
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
