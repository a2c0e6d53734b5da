import { createHash, hash } from 'node:crypto';
import { ROUNDING, WINDOW_MS } from '../../domain/rate-limit.ts';
import type { LimitTransport, SharedCall, SharedCounts } from '../../domain/shared-limit.ts';
import type { LimitPolicy } from '../../domain/denial.ts';
import type { AssertionUse } from '../../domain/used-assertion.ts';
import { redisCluster } from './cluster.ts';
import { masterConnection } from './connection.ts';
import type { RedisTarget } from './target.ts';

/** Limits counted in Redis. */
export interface RedisLimits extends LimitTransport {
  /**
   * Runs the script on some keys and returns its reply: a test compares it with the same rule in TypeScript.
   */
  run(tag: string, steps: readonly Step[]): Promise<StepsTaken>;
  /** Records the use of an assertion for `lifeMs`. */
  use(key: string, lifeMs: number): Promise<AssertionUse>;
}

/** One limit of a call. */
export interface Step {
  key: string;
  perMinute: number;
  /** 1: takes a call. 0: only checks. -1: refunds a call. */
  change: 1 | 0 | -1;
  /** How far ahead the next arrival is, as far as the caller knows. */
  aheadMs: number;
}

export interface StepsTaken {
  /** Index of the step that refused, from 0; null: all steps passed. */
  refusedAt: number | null;
  /** By the clock of Redis. */
  nowMs: number;
  /** The next arrival of each step, up to the step that refused. */
  arrivalsMs: number[];
}

/**
 * Applies `takeCall`, `peekCall` and `refundCall` of domain/rate-limit.ts to several keys in turn, and stops
 * at the first that refuses. All processes use the clock of Redis. The script returns numbers as text with 17
 * digits: Redis cuts a returned number to an integer, and Lua's tostring writes only 14 digits. A key expires
 * when its arrival time has passed.
 */
const SCRIPT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local reply = { 0, string.format('%.17g', now) }
for i, key in ipairs(KEYS) do
  local interval = ${WINDOW_MS} / tonumber(ARGV[3 * i - 2])
  local stored = tonumber(redis.call('GET', key) or 0)
  local arrival = math.max(stored, now + tonumber(ARGV[3 * i]))
  arrival = math.min(arrival, now + ${WINDOW_MS})
  local change = tonumber(ARGV[3 * i - 1])
  local allowed = change < 0 or arrival + interval - now <= ${WINDOW_MS} + interval * ${ROUNDING}
  if allowed and change ~= 0 then
    arrival = math.max(now, arrival + interval * change)
    redis.call('SET', key, string.format('%.17g', arrival), 'PX', math.max(1, math.ceil(arrival - now)))
  end
  reply[i + 2] = string.format('%.17g', arrival)
  if not allowed then
    reply[1] = i
    break
  end
end
return reply
`;
const SCRIPT_SHA = createHash('sha1').update(SCRIPT).digest('hex');
/** 132 bits: an attacker cannot find two names with the same key. */
const HASH_CHARACTERS = 22;

/** The limits in Redis. The connection is made and restored automatically; without it, calls fail at once. */
export function redisLimits(target: RedisTarget, prefix: string): RedisLimits {
  const { send, close, oneSlot } = routeTo(target);

  async function run(tag: string, steps: readonly Step[]): Promise<StepsTaken> {
    const keys = steps.map(({ key }) => key);
    const numbers = steps.flatMap(({ perMinute, change, aheadMs }) =>
      [perMinute, change, aheadMs].map(String),
    );
    const rest = [String(keys.length), ...keys, ...numbers];
    return stepsTaken(
      await send(tag, ['EVALSHA', SCRIPT_SHA, ...rest]).catch(async (error: Error) => {
        if (!error.message.startsWith('NOSCRIPT')) throw error;
        return await send(tag, ['EVAL', SCRIPT, ...rest]); // Redis also caches the script
      }),
    );
  }

  return {
    run,
    close,
    async count(call) {
      const own = networkSteps(call, prefix);
      if (call.failuresChange === -1) return refundCounts(await run(call.network, own.slice(1)));
      const apiUser = apiUserStep(call, prefix);
      if (apiUser === null) return countsOf(await run(call.network, own));
      if (!oneSlot) return countsOf(await run(call.network, [...own, apiUser]));
      // Both scripts run in parallel: see docs/decisions/090.
      const [network, user] = await Promise.all([
        run(call.network, own),
        run(call.apiUser?.id ?? '', [apiUser]),
      ]);
      return merged(countsOf(network), user);
    },
    async use(key, lifeMs) {
      const name = `${prefix}:j:{${key}}`;
      const reply = await send(key, ['SET', name, '1', 'NX', 'PX', String(Math.max(1, Math.ceil(lifeMs)))]);
      return reply === null ? 'used' : 'new';
    },
  };
}

interface Route {
  send(tag: string, args: string[]): Promise<unknown>;
  close(): void;
  /** True in a cluster: all keys of a command must be in one slot, so have the same text in braces. */
  oneSlot: boolean;
}

function routeTo(target: RedisTarget): Route {
  if (target.kind === 'cluster') return { ...redisCluster(target), oneSlot: true };
  const connection = masterConnection(target);
  return {
    oneSlot: false,
    close: connection.close,
    async send(_tag, args) {
      try {
        return await connection.send(args);
      } catch (error) {
        // READONLY: a failover has chosen another master, so look it up again.
        const { message } = error as Error;
        if (message.startsWith('READONLY')) connection.again(message);
        throw error;
      }
    },
  };
}

/** The limits of an address, and of failures of one client id from there, in one slot of a cluster. */
function networkSteps(call: SharedCall, prefix: string): Step[] {
  const { network, failuresKey } = call;
  // A caller may have sent its secret in place of its id: only a digest of it is stored.
  const name = hash('sha256', failuresKey, 'base64url').slice(0, HASH_CHARACTERS);
  return [
    { key: `${prefix}:a:{${network}}`, perMinute: call.addressPerMinute, change: 1, aheadMs: 0 },
    {
      key: `${prefix}:f:{${network}}:${name}`,
      perMinute: call.failuresPerMinute,
      change: call.failuresChange,
      aheadMs: 0,
    },
  ];
}

function apiUserStep({ apiUser }: SharedCall, prefix: string): Step | null {
  if (apiUser === null) return null;
  const { id, perMinute, aheadMs } = apiUser;
  return { key: `${prefix}:u:{${id}}`, perMinute, change: 1, aheadMs };
}

const POLICIES: readonly LimitPolicy[] = ['address', 'failures', 'api-user'];

function countsOf({ refusedAt, nowMs, arrivalsMs }: StepsTaken): SharedCounts {
  const [address, failures, apiUser] = arrivalsMs.map((arrivalMs) => Math.max(0, arrivalMs - nowMs));
  return {
    refusedBy: refusedAt === null ? null : (POLICIES[refusedAt] ?? null),
    addressAheadMs: address ?? 0,
    failuresAheadMs: failures ?? null,
    apiUserAheadMs: apiUser ?? null,
  };
}

function refundCounts({ nowMs, arrivalsMs: [arrivalMs = 0] }: StepsTaken): SharedCounts {
  const failuresAheadMs = Math.max(0, arrivalMs - nowMs);
  return { refusedBy: null, addressAheadMs: 0, failuresAheadMs, apiUserAheadMs: null };
}

function merged(
  network: SharedCounts,
  { refusedAt, nowMs, arrivalsMs: [arrivalMs = 0] }: StepsTaken,
): SharedCounts {
  return {
    ...network,
    refusedBy: network.refusedBy ?? (refusedAt === null ? null : 'api-user'),
    apiUserAheadMs: Math.max(0, arrivalMs - nowMs),
  };
}

function stepsTaken(reply: unknown): StepsTaken {
  const [refused, now, ...arrivals] = reply as [number, string, ...string[]];
  return {
    refusedAt: refused === 0 ? null : refused - 1,
    nowMs: Number(now),
    arrivalsMs: arrivals.map(Number),
  };
}
