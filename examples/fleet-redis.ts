// Many machines share one token through Redis: REDIS_URL=redis://localhost:6379 npm run fleet-redis
import { Configuration, TokenManager } from '@mintmark/client';
import { createClient, type RedisClientType } from '@redis/client';
import { redisTokenStore } from './redis-store.ts';

const [, , host = 'http://localhost:8080/marketing'] = process.argv;

const redis: RedisClientType = createClient({
  url: process.env['REDIS_URL'] ?? 'redis://localhost:6379',
  // If Redis is down, the manager asks the server; it must not wait for queued commands.
  disableOfflineQueue: true,
});
redis.on('error', (error: Error) => console.error(`Redis: ${error.message}`));
await redis.connect();

const tokens = new TokenManager(Configuration.fromEnv({ host }), { store: redisTokenStore(redis) });
const token = await tokens.getToken();
console.log(`process ${process.pid} has a token of ${token.length} characters`);
redis.destroy();
