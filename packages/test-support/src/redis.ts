// Real Redis servers for tests, each with its own folder and port.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@redis/client';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';

const START_MS = 30_000;

/** False if Redis is installed; else the reason to skip. CI requires it. */
export function redisMissing(): string | false {
  if (spawnSync('redis-server', ['--version']).status === 0) return false;
  const how = 'Redis is missing: apt-get install redis-server (macOS: brew install redis)';
  if (process.env['CI'] === 'true') throw new Error(how);
  console.warn(`\n*** These tests are skipped. ${how} ***\n`);
  return how;
}

export interface TestRedis extends AsyncDisposable {
  port: number;
  /** Value of REDIS_URL. */
  url: string;
  /** Restarts it on the same port, empty. */
  start(): Promise<void>;
  kill(): Promise<void>;
  /** SIGSTOP: it accepts connections but does not answer. */
  freeze(): void;
  goOn(): void;
  /** Runs a command directly. */
  command(...args: string[]): Promise<unknown>;
}

export interface RedisOptions {
  args?: readonly string[];
  /** Creates it without starting it. */
  later?: boolean;
  password?: string;
  port?: number;
  /** Content of a configuration file. */
  file?: string;
}

export async function startRedis(options: RedisOptions = {}): Promise<TestRedis> {
  const port = options.port ?? (await freePort());
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-redis-'));
  const network = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder];
  const all = [
    ...fileIn(folder, options.file),
    ...network,
    ...(options.file === undefined ? ['--save', ''] : []),
    ...(options.args ?? []),
  ];
  if (options.password !== undefined) all.push('--requirepass', options.password);
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    const started = spawn('redis-server', all, { stdio: ['ignore', 'pipe', 'inherit'] });
    child = started;
    let said = '';
    started.stdout.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-5000)));
    const deadline = Date.now() + START_MS;
    while (!/Ready to accept|\+monitor/.test(said)) {
      if (started.exitCode !== null || Date.now() > deadline)
        throw new Error(`Redis did not start:\n${said}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async function kill(): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  if (options.later !== true) await start();
  const auth = options.password === undefined ? '' : `:${encodeURIComponent(options.password)}@`;
  return {
    port,
    url: `redis://${auth}127.0.0.1:${port}`,
    start,
    kill,
    freeze: () => void child?.kill('SIGSTOP'),
    goOn: () => void child?.kill('SIGCONT'),
    async command(...args) {
      const client = createClient({
        url: `redis://${auth}127.0.0.1:${port}`,
        socket: { reconnectStrategy: false },
      });
      client.on('error', () => undefined);
      await client.connect();
      try {
        return await client.sendCommand(args);
      } finally {
        client.destroy();
      }
    },
    async [Symbol.asyncDispose]() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function fileIn(folder: string, text: string | undefined): string[] {
  if (text === undefined) return [];
  const path = join(folder, 'redis.conf');
  writeFileSync(path, text);
  return [path];
}

/** A Sentinel that promotes a replica soon after the master fails. */
export async function startSentinel(master: TestRedis, name: string): Promise<TestRedis> {
  const file = [
    `sentinel monitor ${name} 127.0.0.1 ${master.port} 1`,
    `sentinel down-after-milliseconds ${name} 300`,
    `sentinel failover-timeout ${name} 1000`,
  ];
  return await startRedis({ file: `${file.join('\n')}\n`, args: ['--sentinel'] });
}

export interface TestRedisCluster extends AsyncDisposable {
  /** Three masters, then a replica of each. */
  nodes: TestRedis[];
  url: string;
}

const MASTERS = 3;
const SLOTS = 16_384;

/** Three masters and three replicas that agree. After `timeoutMs` a master counts as failed. */
export async function startRedisCluster(timeoutMs = 1000): Promise<TestRedisCluster> {
  const args = [
    '--cluster-enabled',
    'yes',
    '--cluster-node-timeout',
    String(timeoutMs),
    '--repl-diskless-sync-delay',
    '0',
  ];
  const nodes = await Promise.all(
    Array.from({ length: 2 * MASTERS }, async () => await startRedis({ args })),
  );
  const masters = nodes.slice(0, MASTERS);
  const [first] = nodes;
  for (const [i, master] of masters.entries()) {
    const from = Math.ceil((SLOTS / MASTERS) * i);
    const to = Math.ceil((SLOTS / MASTERS) * (i + 1)) - 1;
    await master.command('CLUSTER', 'ADDSLOTSRANGE', String(from), String(to));
  }
  for (const node of nodes.slice(1)) await node.command('CLUSTER', 'MEET', '127.0.0.1', String(first!.port));
  for (const [i, replica] of nodes.slice(MASTERS).entries()) {
    const id = String(await masters[i]!.command('CLUSTER', 'MYID'));
    await eventually(async () => await replica.command('CLUSTER', 'REPLICATE', id));
  }
  for (const node of nodes) {
    await eventually(async () => {
      const info = String(await node.command('CLUSTER', 'INFO'));
      const replication = String(await node.command('INFO', 'replication'));
      if (!info.includes('cluster_state:ok') || !info.includes('cluster_known_nodes:6'))
        throw new Error(info);
      if (!masters.includes(node) && !replication.includes('master_link_status:up'))
        throw new Error(replication);
      if (masters.includes(node) && !replication.includes('connected_slaves:1')) throw new Error(replication);
    }, START_MS);
  }
  return {
    nodes,
    url: `redis+cluster://${masters.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
    async [Symbol.asyncDispose]() {
      for (const node of nodes) await node[Symbol.asyncDispose]();
    },
  };
}
