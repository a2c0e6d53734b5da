import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../../server/src/config/config.ts';
import { loadConfig } from '../../server/src/config/load-config.ts';
import { openStore } from '../../server/src/store-files/open.ts';
import type { Store } from '../../server/src/storage/store.ts';
import type { OpenedStore } from '../../server/test/storage/store-contract.ts';
import type { TestPostgres } from './postgres.ts';

export interface PostgresStore extends OpenedStore {
  config: Config;
  /** The settings that name the store, for a separate process. */
  env: Record<string, string>;
  /** The name of its database. */
  database: string;
}

export const TEMPLATE = 'migrated';
const templates = new WeakMap<TestPostgres, Promise<void>>();

/** A real store in its own migrated database. */
export async function postgresStore(
  server: TestPostgres,
  settings: Record<string, string> = {},
): Promise<PostgresStore> {
  if (!templates.has(server)) templates.set(server, makeTemplate(server));
  await templates.get(server);
  const database = await server.newDatabase(TEMPLATE);
  const dataDir = mkdtempSync(join(tmpdir(), 'mintmark-store-'));
  const env = {
    MINTMARK_DATA_DIR: dataDir,
    DATABASE_URL: server.url(database),
    MINTMARK_MASTER_KEY: randomBytes(32).toString('hex'),
    ...settings,
  };
  const config = loadConfig(env);
  const stores: Store[] = [];
  const another = async (): Promise<Store> => {
    const { store } = await openStore(config, { watch: true });
    stores.push(store);
    return store;
  };
  return {
    store: await another(),
    another,
    config,
    env,
    database,
    async [Symbol.asyncDispose]() {
      await Promise.all(stores.map((store) => store.close()));
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

export async function makeTemplate(server: TestPostgres): Promise<void> {
  await server.sql(`create database ${TEMPLATE} template template0`);
  const { store } = await openStore(loadConfig({ DATABASE_URL: server.url(TEMPLATE) }), { watch: false });
  await store.close();
}
