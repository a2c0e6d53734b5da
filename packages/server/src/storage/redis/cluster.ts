import { withDeadline } from '../../lib/deadline.ts';
import { shareRun } from '../../lib/single-flight.ts';
import { redisConnection, type RedisConnection } from './connection.ts';
import { redisName, redisServerOf, type RedisServer, type RedisTarget } from './target.ts';

/** A Redis Cluster: a connection to each master, and the master of each slot. */
export interface RedisCluster {
  /** `tag`: the text in braces in all keys of the command. Fails at once if the master is not connected. */
  send(tag: string, args: string[]): Promise<unknown>;
  /** The number of masters, and how many of them are connected. */
  masters(): { connected: number; all: number };
  close(): void;
}

const HASH_SLOTS = 16_384;
/** Interval between two reads of the slot table, in milliseconds … */
const LOOK_MS = 5000;
/** … and the shortest one after a fault: after a failover the slots have another master. */
const LOOK_SOON_MS = 250;
/** A node that does not send the slot table within this time is skipped. */
const LOOK_DEADLINE_MS = 500;

/**
 * In the library's cluster client, calls wait without a limit for a master that is away. Here they fail at
 * once.
 */
export function redisCluster(target: RedisTarget): RedisCluster {
  const connections = new Map<string, RedisConnection>();
  /** The name of the master of each slot. */
  let owners: readonly string[] = [];
  let masters = new Set<string>();
  let lookedAt = Number.NEGATIVE_INFINITY;
  /** Why the last node did not send the slot table. */
  let problem = 'nobody was asked yet';
  let closed = false;
  const look = shareRun(lookOnce);
  const timer = setInterval(() => void look(), LOOK_MS);

  function connectionTo(server: RedisServer): RedisConnection {
    const name = redisName(server);
    const connection = connections.get(name) ?? redisConnection(() => Promise.resolve(server), target);
    connections.set(name, connection);
    return connection;
  }

  async function lookOnce(): Promise<void> {
    lookedAt = performance.now();
    for (const server of target.servers) connectionTo(server);
    for (const [name, connection] of connections) {
      try {
        const table = connection.send(['CLUSTER', 'SLOTS']);
        const ranges = await withDeadline(table, LOOK_DEADLINE_MS, () => new Error('no answer'));
        problem = 'it is not complete';
        adopt(slotRanges(ranges, redisServerOf(name.replaceAll(/[[\]]/g, ''))));
        return;
      } catch (error) {
        problem = (error as Error).message;
      }
    }
  }

  function adopt(ranges: readonly SlotRange[]): void {
    if (closed) return; // open no connection after `close`
    const next = Array.from<string>({ length: HASH_SLOTS }).fill('');
    for (const { from, to, master } of ranges) next.fill(redisName(master), from, to + 1);
    for (const { master } of ranges) connectionTo(master);
    owners = next;
    masters = new Set(ranges.map(({ master }) => redisName(master)));
    const kept = new Set([...masters, ...target.servers.map(redisName)]);
    for (const [name, connection] of connections) {
      if (kept.has(name)) continue;
      connection.close();
      connections.delete(name);
    }
  }

  /** Reads the slot table again after a fault, at most every `LOOK_SOON_MS`. */
  function lookSoon(): void {
    if (!closed && performance.now() - lookedAt >= LOOK_SOON_MS) void look();
  }

  async function sendOnce(connection: RedisConnection, args: string[], asking: boolean): Promise<unknown> {
    if (!asking) return await connection.send(args);
    const [, reply] = await Promise.all([connection.send(['ASKING']), connection.send(args)]);
    return reply;
  }

  for (const server of target.servers) connectionTo(server);
  return {
    async send(tag, args) {
      const owner = owners[slotOf(tag)] ?? '';
      const connection = connections.get(owner);
      try {
        if (connection === undefined) throw new Error(`the cluster has no master for a slot: ${problem}`);
        return await connection.send(args);
      } catch (error) {
        lookSoon();
        // The slot has moved or is moving: the error names its new node.
        const [, kind, , address] = /^(MOVED|ASK) (\d+) (\S+:\d+)$/.exec((error as Error).message) ?? [];
        if (address === undefined) throw error;
        const { host, port } = redisServerOf(address);
        const server = { host: host === '' ? redisServerOf(owner).host : host, port };
        return await sendOnce(connectionTo(server), args, kind === 'ASK');
      }
    },
    masters: () => ({
      connected: Array.from(masters).filter((name) => connections.get(name)?.isConnected()).length,
      all: masters.size,
    }),
    close() {
      closed = true;
      clearInterval(timer);
      for (const connection of connections.values()) connection.close();
    },
  };
}

interface SlotRange {
  from: number;
  to: number;
  master: RedisServer;
}

/** `asked`: the node that answered. A node that does not know its own address leaves the host out. */
function slotRanges(reply: unknown, source: RedisServer): SlotRange[] {
  return (reply as [number, number, [string | null, number]][]).map(([from, to, [host, port]]) => ({
    from,
    to,
    master: { host: host === null || host === '' || host === '?' ? source.host : host, port },
  }));
}

/**
 * The slot of all keys with this text in braces: its CRC-16 (XMODEM), as the Redis Cluster specification
 * says.
 */
export function slotOf(tag: string): number {
  let crc = 0;
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ (crc & 0x80_00 ? 0x10_21 : 0)) & 0xff_ff;
  }
  return crc % HASH_SLOTS;
}
