// Several servers on one PostgreSQL, and callers that keep sending requests.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeProtectedHeader, type JSONWebKeySet } from 'jose';
import { SYSTEM } from '../../server/src/domain/actor.ts';
import { createApiUser } from '../../server/src/admin/api-user.ts';
import type { Store } from '../../server/src/storage/store.ts';
import { binary } from './binary.ts';
import { mintmark, startServer, type TestServer } from './server.ts';
import type { MadeApiUser } from './store.ts';
import { apiUserSettings } from './temporary-store.ts';
import { eventually } from './eventually.ts';

export type Settings = Record<string, string>;

/** Settings under which tests reach neither the limits nor the directory's bounds. */
const WIDE: Settings = {
  MINTMARK_MASTER_KEY: 'ab'.repeat(32),
  MINTMARK_ADDRESS_LIMIT: '1000000',
  MINTMARK_FAILURE_LIMIT: '1000000',
  MINTMARK_API_USER_LIMIT: '1000000',
  MINTMARK_FIRST_API_USER: 'false',
  MINTMARK_TEST_UNKNOWN_TTL: '0',
};

/** Another version of the program: another binary, or one that a setting changes. */
export interface Version {
  program?: string;
  settings?: Settings;
}

export interface Nodes extends AsyncDisposable {
  nodes: TestServer[];
  /** Runs a command on the nodes' store; throws if it fails. */
  cli(...args: string[]): Promise<string>;
  apiUser(name: string, ...options: string[]): Promise<MadeApiUser>;
  /** An API user that every node knows. */
  knownUser(): Promise<MadeApiUser>;
  /** From now on commands run in this version, in their own processes. */
  commandsOf(version: Version): void;
  /** Restarts an ended node on its port. */
  startAgain(node: TestServer, settings?: Settings): Promise<TestServer>;
}

/** `urls`: one per node for the same database. Commands use the first. */
export async function startNodes(
  urls: readonly string[],
  settings: Settings = {},
  { program }: Pick<Version, 'program'> = {},
): Promise<Nodes> {
  const env = { ...WIDE, ...settings, DATABASE_URL: urls[0] ?? '' };
  let commands: Version | null = program === undefined ? null : { program };
  const cli = async (...args: string[]): Promise<string> => {
    const { code, out, err } =
      commands === null
        ? await mintmark(args, { env })
        : await binary(args, { ...commands, env: { ...env, ...commands.settings } });
    assert.equal(code, 0, `mintmark ${args.join(' ')}: ${err}`);
    return out;
  };
  await cli('migrate');
  const urlOf = new Map<number, string>();
  const nodes = await Promise.all(
    urls.map(async (DATABASE_URL) => {
      const node = await startServer({ env: { ...WIDE, ...settings, DATABASE_URL }, program });
      urlOf.set(node.port, DATABASE_URL);
      return node;
    }),
  );
  const apiUser = async (name: string, ...options: string[]) =>
    JSON.parse(await cli('api-user', 'create', '--name', name, ...options, '--json')) as MadeApiUser;
  return {
    nodes,
    cli,
    apiUser,
    async knownUser() {
      const made = await apiUser('Importer');
      for (const node of nodes) await becomes(node, made, 200, 10_000);
      return made;
    },
    commandsOf(version) {
      commands = version;
    },
    async startAgain(node, more = {}) {
      const { port, dataDir } = node;
      const DATABASE_URL = urlOf.get(port) ?? '';
      const again = await startServer({
        env: { ...WIDE, ...settings, DATABASE_URL, ...more },
        port,
        dataDir,
      });
      nodes[nodes.indexOf(node)] = again;
      return again;
    },
    async [Symbol.asyncDispose]() {
      for (const node of nodes) await node[Symbol.asyncDispose]();
    },
  };
}

export async function statusOf(node: TestServer, { client_id, client_secret }: MadeApiUser): Promise<number> {
  return (await node.post({ client_id, client_secret })).status;
}

/** Milliseconds until a node answers with this status. Fails after `withinMs`. */
export async function becomes(
  node: TestServer,
  user: MadeApiUser,
  status: number,
  withinMs: number,
): Promise<number> {
  const startedAt = performance.now();
  await eventually(async () => assert.equal(await statusOf(node, user), status), withinMs);
  return performance.now() - startedAt;
}

/** Disables an API user; asserts that every serving node refuses it within a second, and again next time. */
export async function disabledWithin(
  all: Nodes,
  serving: readonly TestServer[] = all.nodes,
  disable = async (clientId: string): Promise<unknown> =>
    await all.cli('api-user', 'disable', clientId, '--force'),
): Promise<number> {
  const made = await all.apiUser('Disabled');
  for (const node of serving) await becomes(node, made, 200, 10_000);
  await disable(made.client_id);
  const tookMs = await Promise.all(serving.map((node) => becomes(node, made, 403, 1000)));
  for (const node of serving) assert.equal(await statusOf(node, made), 403);
  return Math.max(...tookMs);
}

export async function keySet({ port }: TestServer): Promise<JSONWebKeySet> {
  const response = await fetch(`http://127.0.0.1:${port}/marketing/.well-known/jwks.json`);
  return (await response.json()) as JSONWebKeySet;
}

export async function tokenOf(node: TestServer, { client_id, client_secret }: MadeApiUser): Promise<string> {
  const { status, body } = await node.post({ client_id, client_secret });
  assert.equal(status, 200);
  return String(body['access_token']);
}

export function kidOf(token: string): string {
  return decodeProtectedHeader(token).kid ?? '';
}

export interface Readiness {
  code: number;
  status: string;
  staleSeconds: number;
  limits: string;
}

export async function readinessOf({ port }: TestServer): Promise<Readiness> {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`);
  const said = (await response.json()) as { status: string; stale_seconds: number; limits: string };
  return {
    code: response.status,
    status: said.status,
    staleSeconds: said.stale_seconds,
    limits: said.limits,
  };
}

export interface Load {
  /** Stops; returns the number of tokens, the refusals and the slowest answers. */
  stop(): Promise<{ issued: number; refused: number[]; p99Ms: number; slowestMs: number }>;
}

const EVERY_MS = 10;

/** Requests a token from each node in turn, a hundred times per second. */
export function steadyLoad(nodes: readonly TestServer[], user: MadeApiUser): Load {
  const state = { over: false };
  const refused: number[] = [];
  const tookMs: number[] = [];
  const asking = (async () => {
    for (let i = 0; !state.over; i++) {
      const startedAt = performance.now();
      const node = nodes[i % nodes.length];
      const status = node === undefined ? 0 : await statusOf(node, user);
      tookMs.push(performance.now() - startedAt);
      if (status !== 200) refused.push(status);
      await sleep(EVERY_MS);
    }
  })();
  return {
    async stop() {
      state.over = true;
      await asking;
      const sorted = tookMs.toSorted((a, b) => a - b);
      return {
        issued: tookMs.length - refused.length,
        refused,
        p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
        slowestMs: sorted.at(-1) ?? 0,
      };
    },
  };
}

/** Creates API users one after the other and records the acknowledged ones. */
export function keepWriting(store: Store): { stop(): Promise<string[]> } {
  const acknowledged: string[] = [];
  const state = { over: false };
  const work = (async () => {
    while (!state.over) {
      try {
        acknowledged.push(
          (await createApiUser({ store, actor: SYSTEM, nowMs: Date.now() }, apiUserSettings())).clientId,
        );
      } catch {
        await sleep(20); // not acknowledged
      }
    }
  })();
  return {
    async stop() {
      state.over = true;
      await work;
      return acknowledged;
    },
  };
}

/** Prints measurements into the tests' output. */
export function report(what: string, values: Record<string, number | string>): void {
  const shown = Object.entries(values).map(
    ([name, value]) => `${name} ${typeof value === 'number' ? Math.round(value * 10) / 10 : value}`,
  );
  console.log(`# ${what}: ${shown.join(', ')}`);
}
