import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Change } from '../../src/admin/audited.ts';
import { createApiUserWithSecret } from '../../src/admin/api-user-with-secret.ts';
import { createKey } from '../../src/admin/key.ts';
import { recordTokenLife } from '../../src/admin/revocation.ts';
import { recordSchedule } from '../../src/admin/signing-key.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import type { Config } from '../../src/config/config.ts';
import { SYSTEM } from '../../src/domain/actor.ts';
import { UNSET_SETTINGS } from '../../src/domain/api-user.ts';
import { Redacted } from '../../src/lib/redacted.ts';
import { firstStart } from '../../src/server/first-start.ts';
import { readMasterKey, type MasterKey } from '../../src/storage/master-key.ts';
import { migrate } from '../../src/storage/migrate.ts';
import { openSqlite } from '../../src/storage/sqlite/sqlite.ts';
import { createStore } from '../../src/storage/store.ts';
import { StoreDatabase } from './store-database.ts';
import { STARTS_AT } from './universe.ts';

export const NODES = 3;
/** Calls a minute of the one API user with a limit that callers reach. */
export const LIMIT = 12;

export interface Member {
  clientId: string;
  secret: string;
  /** Signs its assertions. */
  privateKey: KeyObject;
}

/** What each run starts with: a store with API users and a signing key, and the settings of the processes. */
export interface Template {
  database: StoreDatabase;
  users: readonly Member[];
  config: Config;
  masterKey: MasterKey;
}

const USERS = 4;
const DAY_MS = 86_400_000;

export async function createTemplate(): Promise<Template> {
  const config = loadConfig({
    MINTMARK_SIGNING_ALGORITHM: 'EdDSA',
    MINTMARK_PROCESSES: String(NODES),
    MINTMARK_STALE_MAX: '4',
    MINTMARK_STALE_DRAIN: '1',
    MINTMARK_USAGE_FLUSH: '3000',
    MINTMARK_CHANGE_POLL: '900', // the longest that is allowed: each promise must hold with it
  });
  const masterKey = readMasterKey({ masterKey: new Redacted('5a'.repeat(32)), masterKeyFile: '' });
  if (masterKey === null) throw new Error('the master key is missing');
  const folder = mkdtempSync(join(tmpdir(), 'simulation-'));
  try {
    const path = join(folder, 'store.db');
    const users = await fill(path, config, masterKey);
    const database = new DatabaseSync(path);
    database.exec('pragma journal_mode = delete; drop trigger if exists api_user_deleted');
    const bytes = database.serialize();
    database.close();
    return { database: new StoreDatabase(bytes), users, config, masterKey };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function fill(path: string, config: Config, masterKey: MasterKey): Promise<Member[]> {
  const connections = await openSqlite({ path, busyTimeoutMs: 1000, wakePollMs: 0 });
  await migrate(connections);
  const store = createStore(connections, () => STARTS_AT - DAY_MS);
  const change = { store, actor: SYSTEM, nowMs: STARTS_AT - DAY_MS };
  await firstStart(store, masterKey, { ...config, firstApiUser: false }, change.nowMs);
  await recordSchedule(store, config);
  await recordTokenLife(store, config.tokenLifeSeconds);
  const users: Member[] = [];
  for (let n = 0; n < USERS; n++) {
    const limitPerMinute = n === 0 ? LIMIT : 100_000;
    const settings = { ...UNSET_SETTINGS, name: `user ${n}`, scopes: ['campaigns:read'], limitPerMinute };
    const made = await createApiUserWithSecret(change, settings, { name: 'first', expiresAt: null });
    const { clientId } = made.user;
    users.push({ clientId, secret: made.secret, privateKey: await registeredKey(change, clientId) });
  }
  await store.close();
  return users;
}

async function registeredKey(change: Change, owner: string): Promise<KeyObject> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const pem = publicKey.export({ format: 'pem', type: 'spki' });
  const key = { owner, name: 'key', expiresAt: null };
  await createKey(change, key, { publicKey: pem }, async () => undefined);
  return privateKey;
}
