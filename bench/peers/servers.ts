// The servers of the comparison, and how each starts with the first users of the seeded population.
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestPostgres } from '@mintmark/test-support/postgres';
import { fillPostgres } from '../fill-postgres.ts';
import { allInMemory, freePort, pinned, ready, startMintmark, stop, type Peer } from '../peer.ts';
import { seed } from '../population.ts';

export const LIMIT = 'limit';
export const MINTMARK = 'Mintmark';

export interface RunningServer {
  name: string;
  process: ChildProcess;
  tokenUrl: string;
  keySetUrl: string;
  readyMs: number;
  /** The first process of its database. */
  database?: number;
}

interface Program {
  name: string;
  /** A script with the arguments port, number of API users, and these. */
  script: string;
  args?: string[];
  keySetPath: string;
}

const LIMIT_PROGRAM: Program = { name: LIMIT, script: 'bench/limit-server.ts', keySetPath: '/' };

/** By other authors, from npm. */
const PEERS: readonly Program[] = [
  { name: 'oidc-provider', script: 'bench/peers/oidc-provider.ts', keySetPath: '/jwks' },
  ...library('@node-oauth/oauth2-server', 'bench/peers/node-oauth2-server.ts'),
  ...library('@jmondi/oauth2-server', 'bench/peers/jmondi-oauth2-server.ts'),
];

/** A library is measured as its documentation shows it, and with as little around it as possible. */
function library(name: string, script: string): Program[] {
  return [
    { name, script, args: ['documented'], keySetPath: '/' },
    { name: `${name}, bare`, script, args: ['bare'], keySetPath: '/' },
  ];
}

/** Starts all servers on one core. They are added to `started` one by one, so that a failure can stop them. */
export async function startServers(
  apiUsers: number,
  folder: string,
  started: RunningServer[],
): Promise<void> {
  started.push(await startLimit(apiUsers));
  started.push(await startSeededMintmark(apiUsers, join(folder, String(apiUsers))));
  for (const program of PEERS) started.push(await startProgram(program, apiUsers));
}

/** The packages by other authors, each with the version that was measured. */
export function peerVersions(): string[] {
  const names = new Set(PEERS.map(({ name }) => name.replace(/, bare$/, '')));
  return Array.from(names, (name) => {
    const manifest = new URL(`../../node_modules/${name}/package.json`, import.meta.url);
    const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
    return `${name} ${version}`;
  });
}

export async function startLimit(apiUsers: number): Promise<RunningServer> {
  return await startProgram(LIMIT_PROGRAM, apiUsers);
}

async function startProgram(program: Program, apiUsers: number): Promise<RunningServer> {
  const { name, script, args = [], keySetPath } = program;
  const port = await freePort();
  const child = pinned([script, String(port), String(apiUsers), ...args]);
  const readyMs = await ready(child, 'ready');
  const url = `http://127.0.0.1:${port}`;
  return { name, process: child, tokenUrl: `${url}/token`, keySetUrl: `${url}${keySetPath}`, readyMs };
}

export async function startSeededMintmark(
  apiUsers: number,
  dataDir: string,
  settings: Record<string, string> = {},
  checkout = '',
): Promise<RunningServer> {
  // A first start creates the store.
  await stop((await startMintmark(MINTMARK, dataDir, 0, {}, checkout)).process);
  seed(join(dataDir, 'mintmark.db'), apiUsers);
  return await runningServer(await startMintmark(MINTMARK, dataDir, 0, settings, checkout));
}

/** On a new database of this PostgreSQL server. */
export async function startMintmarkOnPostgres(
  apiUsers: number,
  postgres: TestPostgres,
  dataDir: string,
): Promise<RunningServer> {
  const database = await postgres.newDatabase();
  const settings = { DATABASE_URL: postgres.url(database), MINTMARK_MASTER_KEY: MASTER_KEY };
  await stop((await startMintmark(MINTMARK, dataDir, 0, settings)).process);
  await fillPostgres(postgres, database, apiUsers, 1);
  const server = await runningServer(await startMintmark(MINTMARK, dataDir, 0, settings));
  return { ...server, database: postgres.process().pid ?? 0 };
}

const MASTER_KEY = 'ab'.repeat(32);

async function runningServer(peer: Peer): Promise<RunningServer> {
  await allInMemory(peer);
  const url = `http://127.0.0.1:${peer.options.port}/marketing`;
  return {
    name: peer.name,
    process: peer.process,
    tokenUrl: `${url}/oauth2/token`,
    keySetUrl: `${url}/.well-known/jwks.json`,
    readyMs: peer.readyMs,
  };
}
