import { postgresMissing } from './postgres-binaries.ts';
import { startPostgres } from './postgres.ts';
import { makeTemplate, TEMPLATE } from './postgres-store.ts';

export interface SuitePostgres {
  /** Variables through which tests find it; see store-under-test.ts. */
  env: Record<string, string>;
  stop(): Promise<void>;
}

/** One server for a test run, with a migrated template; null without PostgreSQL. */
export async function startSuitePostgres(): Promise<SuitePostgres | null> {
  if (postgresMissing() !== false) return null;
  const server = await startPostgres();
  await makeTemplate(server);
  return {
    env: { MINTMARK_TEST_POSTGRES: server.url(TEMPLATE) },
    stop: async () => await server[Symbol.asyncDispose](),
  };
}
