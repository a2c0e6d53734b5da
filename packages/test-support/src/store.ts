import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { copyMigratedFile } from './migrated-file.ts';
import { mintmark, startServer, type TestServer } from './server.ts';

/** An API user in the output of `api-user create --json`. */
export interface MadeApiUser {
  client_id: string;
  client_secret: string;
  credential_id: string;
}

/** A store that the command line fills before a server starts, so that tests need not wait. */
export interface TestStore {
  dataDir: string;
  apiUser(name: string, ...options: string[]): Promise<MadeApiUser>;
  /** Runs a command with --json; records its secret for the search at the end. */
  json<T>(args: string[], stdin?: string): Promise<T>;
  password(owner: string, password: string): Promise<{ id: string }>;
  /** Starts the server with limits that tests do not reach, unless `env` sets them. */
  start(env?: Record<string, string>): Promise<TestServer>;
}

export async function newStore(): Promise<TestStore> {
  const dataDir = mkdtempSync(join(tmpdir(), 'mintmark-test-'));
  if (!copyMigratedFile(dataDir)) await mintmark(['migrate'], { env: { MINTMARK_DATA_DIR: dataDir } });
  const secrets: string[] = [];
  const store: TestStore = {
    dataDir,
    async json<T>(args: string[], stdin = '') {
      const env = { MINTMARK_DATA_DIR: dataDir };
      const { code, out, err } = await mintmark([...args, '--json'], { env, stdin });
      assert.equal(code, 0, err);
      const shown = JSON.parse(out) as { client_secret?: string };
      if (shown.client_secret !== undefined) secrets.push(shown.client_secret);
      return shown as T;
    },
    apiUser: (name, ...options) => store.json(['api-user', 'create', '--name', name, ...options]),
    password(owner, password) {
      secrets.push(password);
      return store.json(['credential', 'create', owner, '--password-stdin'], `${password}\n`);
    },
    async start(env = {}) {
      const wide = { MINTMARK_ADDRESS_LIMIT: '1000000', MINTMARK_FAILURE_LIMIT: '1000000' };
      const server = await startServer({
        dataDir,
        env: { ...wide, MINTMARK_API_USER_LIMIT: '100000', ...env },
      });
      for (const secret of secrets) server.noteSecret(secret);
      return server;
    },
  };
  return store;
}
