import { redisMissing, startRedis } from './redis.ts';

export interface SuiteRedis {
  /** Variables through which tests find it; see store-under-test.ts. */
  env: Record<string, string>;
  stop(): Promise<void>;
}

/** One Redis for a test run; null without Redis. */
export async function startSuiteRedis(): Promise<SuiteRedis | null> {
  if (redisMissing() !== false) return null;
  const server = await startRedis();
  return {
    env: { MINTMARK_TEST_REDIS: server.url },
    stop: async () => await server[Symbol.asyncDispose](),
  };
}
