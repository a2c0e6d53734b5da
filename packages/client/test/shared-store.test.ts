import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { FileTokenStore } from '../src/file-store.ts';
import { fromStoredValue } from '../src/held-token.ts';
import { TokenManager } from '../src/index.ts';
import type { ClientEvent, TokenStore } from '../src/index.ts';
import { configure } from './support/credentials.ts';
import type { FaultServer } from './support/fault-server.ts';
import { startFaultServer, token } from './support/fault-server.ts';
import { virtualClock } from './support/virtual-clock.ts';
import { eventually } from '@mintmark/test-support/eventually';

let server: FaultServer;
let directory: string;
const directories: string[] = [];
before(async () => (server = await startFaultServer()));
after(async () => {
  await server.close();
  for (const path of directories) await rm(path, { recursive: true });
});
beforeEach(async () => {
  server.requests.length = 0;
  server.fallback(token());
  directory = await mkdtemp(join(tmpdir(), 'mintmark-store-'));
  directories.push(directory);
});

/** A store in memory, with locks, which several managers share as the processes of a fleet would. */
function memoryStore(): TokenStore & { readonly values: Map<string, string> } {
  const values = new Map<string, string>();
  const locks = new Set<string>();
  return {
    values,
    get: async (key) => values.get(key),
    set: async (key, value) => void values.set(key, value),
    async lock(key) {
      if (locks.has(key)) return undefined;
      locks.add(key);
      return async () => void locks.delete(key);
    },
  };
}

test('50 managers starting at once on one store cause one request', async () => {
  const store = memoryStore();
  const managers = Array.from({ length: 50 }, () => new TokenManager(configure(server.host), { store }));
  const tokens = await Promise.all(managers.map((manager) => manager.getToken()));
  assert.equal(new Set(tokens).size, 1);
  assert.equal(server.requests.length, 1);
});

test('a store without locks is shared with a few extra first requests', async () => {
  const { get, set } = memoryStore();
  const first = new TokenManager(configure(server.host), { store: { get, set } });
  const shared = await first.getToken();
  const second = new TokenManager(configure(server.host), { store: { get, set } });
  assert.equal(await second.getToken(), shared);
  assert.equal(server.requests.length, 1);
});

test('scope, client and host have separate tokens; keys hold no secret', async () => {
  const store = memoryStore();
  const host = server.host.replace('127.0.0.1', 'localhost');
  for (const parameters of [{}, { scope: 'a' }, { resource: 'urn:b' }, { clientId: 'c' }, { host }]) {
    await new TokenManager(configure(server.host, { clientSecret: 'the-secret', ...parameters }), {
      store,
    }).getToken();
  }
  assert.equal(store.values.size, 5);
  assert.doesNotMatch([...store.values.keys()].join(), /the-secret/);
});

test('one manager of a fleet renews in the background, the others follow', async () => {
  const clock = virtualClock();
  const store = memoryStore();
  const events: ClientEvent[] = [];
  const configuration = configure(server.host, { clock, onEvent: (event) => events.push(event) });
  const managers = Array.from({ length: 20 }, () => new TokenManager(configuration, { store }));
  const tokens = () => Promise.all(managers.map((manager) => manager.getToken()));
  const first = await managers[0]?.getToken();
  await tokens();
  await clock.advance(725_000);
  await eventually(async () => {
    const renewed = new Set(await tokens());
    return renewed.size === 1 && !renewed.has(String(first));
  });
  assert.equal(server.requests.length, 2);
  const sources = events.flatMap((event) => (event.type === 'renewal' ? [event.source] : []));
  assert.equal(sources.filter((source) => source === 'server').length, 2);
});

test('a token that an API refused is never read from the store', async () => {
  const store = memoryStore();
  const manager = new TokenManager(configure(server.host), { store });
  const first = await manager.getToken();
  manager.invalidate(first);
  const second = await manager.getToken();
  assert.notEqual(second, first);
  const other = new TokenManager(configure(server.host), { store });
  assert.equal(await other.getToken(), second);
});

test('whatever lies in the store, the manager gets a good token', async () => {
  const now = Date.now();
  const values = [
    '',
    'null',
    '[]',
    '{"accessToken":1}',
    'not JSON',
    JSON.stringify({ accessToken: 'stale', lifeMs: 900_000, expiresAt: now - 1 }),
    JSON.stringify({ accessToken: 'stale', lifeMs: 900_000, expiresAt: now + 10_000 }),
    JSON.stringify({ accessToken: 'stale', lifeMs: null, expiresAt: now + 900_000 }),
  ];
  for (const value of values) {
    const store: TokenStore = { get: async () => value, set: async () => {} };
    const manager = new TokenManager(configure(server.host), { store });
    await new Promise((resolve) => setTimeout(resolve, 2));
    assert.match(await manager.getToken(), /^eyJ/, value);
  }
});

test('a token from a fast clock has at most its life left', () => {
  const value = JSON.stringify({ accessToken: 't', lifeMs: 60_000, expiresAt: 86_400_000 });
  const held = fromStoredValue(value, 1000, { advisoryWindowMs: 300_000, mandatoryWindowMs: 30_000 });
  assert.equal(held?.expiresAt, 61_000);
  assert.equal(held?.waitFrom, 55_000);
});

test('a failing store costs nobody a token and causes an event', async () => {
  const broken = () => {
    throw new Error('no store');
  };
  for (const fail of [broken, () => Promise.reject(new Error('no store'))]) {
    const events: ClientEvent[] = [];
    const store: TokenStore = { get: fail, set: fail, lock: fail };
    const manager = new TokenManager(configure(server.host, { onEvent: (event) => events.push(event) }), {
      store,
    });
    assert.match(await manager.getToken(), /^eyJ/);
    assert.ok(events.some((event) => event.type === 'failure' && event.operation === 'store'));
  }
});

test('a store that never answers costs a second, once, and then none', async () => {
  const never = () => new Promise<never>(() => {});
  const manager = new TokenManager(configure(server.host), {
    store: { get: never, set: never, lock: never },
  });
  const begun = performance.now();
  const first = await manager.getToken();
  const took = performance.now() - begun;
  assert.ok(took > 900 && took < 2500, `${took} ms`);
  manager.invalidate(first);
  const again = performance.now();
  await manager.getToken();
  assert.ok(performance.now() - again < 500);
});

test('an abandoned lock delays the others for at most two timeouts', async () => {
  const store: TokenStore = { get: async () => undefined, set: async () => {}, lock: async () => undefined };
  const manager = new TokenManager(configure(server.host, { timeoutMs: 200 }), { store });
  const begun = performance.now();
  await manager.getToken();
  const took = performance.now() - begun;
  assert.ok(took >= 400 && took < 2000, `${took} ms`);
});

test('the file store returns values until they expire, in owner-only files', async () => {
  const nested = join(directory, 'made', 'when needed');
  const store = new FileTokenStore(nested);
  assert.equal(await store.get('key'), undefined);
  await store.set('key', 'value\nof two lines', 60_000);
  await store.set('other', '', 60_000);
  assert.equal(await store.get('key'), 'value\nof two lines');
  assert.equal(await new FileTokenStore(nested).get('key'), 'value\nof two lines');
  await store.set('key', 'short', 1);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(await store.get('key'), undefined);
  assert.equal((await stat(nested)).mode & 0o777, 0o700);
  const names = await readdir(nested);
  assert.equal(names.length, 2);
  for (const name of names) {
    assert.equal((await stat(join(nested, name))).mode & 0o777, 0o600);
    assert.match(name, /^[0-9a-f]{64}$/);
  }
});

test('a file store lock has one holder and expires if abandoned', async () => {
  const store = new FileTokenStore(directory);
  const locks = await Promise.all(Array.from({ length: 20 }, () => store.lock('key', 60_000)));
  const held = locks.filter((lock) => lock !== undefined);
  assert.equal(held.length, 1);
  assert.ok(await store.lock('another key', 60_000));
  await held[0]?.();
  const again = await store.lock('key', 60_000);
  assert.ok(again);
  assert.equal(await store.lock('key', 60_000), undefined);
  const longAgo = new Date(Date.now() - 61_000);
  for (const file of await readdir(directory)) await utimes(join(directory, file), longAgo, longAgo);
  const taken = await store.lock('key', 60_000);
  assert.ok(taken);
  await again();
  assert.equal(await store.lock('key', 60_000), undefined, 'the former holder gave back what is not its own');
});

test('a damaged file in the store is as good as none', async () => {
  const store = new FileTokenStore(directory);
  const manager = new TokenManager(configure(server.host), { store });
  await manager.getToken();
  const [name = ''] = await readdir(directory);
  assert.match(await readFile(join(directory, name), 'utf8'), /accessToken/);
  await writeFile(join(directory, name), '\u0000garbage');
  const other = new TokenManager(configure(server.host), { store });
  assert.match(await other.getToken(), /^eyJ/);
  assert.equal(server.requests.length, 2);
});

test('eight processes starting at once on one file store cause one request', async () => {
  const script = `
    const { Configuration, TokenManager } = await import(process.env.SOURCES + 'index.ts');
    const { FileTokenStore } = await import(process.env.SOURCES + 'file-store.ts');
    const configuration = new Configuration({ host: process.env.HOST, clientId: 'a', clientSecret: 'b' });
    const manager = new TokenManager(configuration, { store: new FileTokenStore(process.env.DIRECTORY) });
    console.log(await manager.getToken());
  `;
  const env = {
    ...process.env,
    SOURCES: new URL('../src/', import.meta.url).href,
    HOST: server.host,
    DIRECTORY: directory,
  };
  const outputs = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], { env });
      let output = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
      await once(child, 'close');
      return output.trim();
    }),
  );
  assert.equal(new Set(outputs).size, 1, outputs.join('\n'));
  assert.match(outputs[0] ?? '', /^eyJ/);
  assert.equal(server.requests.length, 1);
});
