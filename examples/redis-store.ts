// A token store in Redis, for a fleet on many machines. The client comes from @redis/client (or redis).
import { randomUUID } from 'node:crypto';
import type { TokenStore } from '@mintmark/client';
import type { RedisClientType } from '@redis/client';

/** Releases the lock only for its owner: it may have expired and belong to another process. */
const UNLOCK = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`;

export function redisTokenStore(redis: RedisClientType): TokenStore {
  return {
    get: (key) => redis.get(key),
    async set(key, value, ttlMs) {
      await redis.set(key, value, { expiration: { type: 'PX', value: ttlMs } });
    },
    async lock(key, ttlMs) {
      const lock = `${key}:lock`;
      const owner = randomUUID();
      const taken = await redis.set(lock, owner, {
        condition: 'NX',
        expiration: { type: 'PX', value: ttlMs },
      });
      if (taken === null) return undefined;
      return async () => {
        await redis.eval(UNLOCK, { keys: [lock], arguments: [owner] });
      };
    },
  };
}
