import { createHash, hash } from 'node:crypto';
import { ROUNDING, WINDOW_MS } from '../../domain/rate-limit.ts';
import type { LimitTransport, SharedApiUser, SharedCall, SharedCounts } from '../../domain/shared-limit.ts';
import { UNIT_MS } from '../../domain/usage.ts';
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

/**
 * Counts a token on the quota of an organisation, as `takeTokenTogether` of domain/quota.ts does. KEYS: the
 * hour and the day. ARGV: the tokens to count, then for the hour and the day: quota (negative: it refuses
 * nothing), tokens that the caller knows of, tokens that only the caller knows of, milliseconds to keep the
 * number.
 */
const QUOTA_SCRIPT = `
local refused = 0
local counts = {}
for i, key in ipairs(KEYS) do
  local known = tonumber(ARGV[4 * i - 1])
  counts[i] = math.max(tonumber(redis.call('GET', key) or 0), known) + tonumber(ARGV[4 * i])
  local quota = tonumber(ARGV[4 * i - 2])
  if quota >= 0 and counts[i] >= quota then refused = i end
end
for i, key in ipairs(KEYS) do
  if refused == 0 then counts[i] = counts[i] + tonumber(ARGV[1]) end
  redis.call('SET', key, string.format('%.0f', counts[i]), 'PX', ARGV[4 * i + 1])
end
return { refused, counts[1], counts[2] }
`;

interface Script {
  text: string;
  sha: string;
}

const LIMIT: Script = { text: SCRIPT, sha: shaOf(SCRIPT) };
const QUOTA: Script = { text: QUOTA_SCRIPT, sha: shaOf(QUOTA_SCRIPT) };

function shaOf(script: string): string {
  return createHash('sha1').update(script).digest('hex');
}

/** A count is kept for this much longer than its hour or day, for processes whose clocks are behind. */
const QUOTA_MARGIN_MS = 600_000;

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
    return stepsTaken(await evaluate(LIMIT, tag, keys, numbers));
  }

  async function evaluate(
    { text, sha }: Script,
    tag: string,
    keys: readonly string[],
    args: readonly string[],
  ): Promise<unknown> {
    const rest = [String(keys.length), ...keys, ...args];
    return await send(tag, ['EVALSHA', sha, ...rest]).catch(async (error: Error) => {
      if (!error.message.startsWith('NOSCRIPT')) throw error;
      return await send(tag, ['EVAL', text, ...rest]); // Redis also caches the script
    });
  }

  return {
    run,
    close,
    async count(call) {
      const ofNetwork = networkSteps(call, prefix);
      if (call.failuresChange === -1) return refundCounts(await run(call.network, ofNetwork.slice(1)));
      const { apiUser } = call;
      const count = async (tag: string, steps: readonly LimitStep[]) =>
        countsOf(steps, await run(tag, steps));
      if (apiUser === null) return await count(call.network, ofNetwork);
      const ofApiUser = apiUserSteps(apiUser, prefix);
      if (!oneSlot) return await count(call.network, [...ofNetwork, ...ofApiUser]);
      // Both scripts run in parallel: see docs/decisions/090.
      const [network, own] = await Promise.all([
        count(call.network, ofNetwork),
        count(slotText(apiUser), ofApiUser),
      ]);
      return merged(network, own);
    },
    async countToken(call) {
      const { organisationId: id } = call;
      const keys = [`${prefix}:q:{${id}}:h:${call.hourAt}`, `${prefix}:q:{${id}}:d:${call.dayAt}`];
      const refuses = call.enforces && call.tokens === 1;
      const [perHour, perDay] = refuses ? [call.perHour ?? -1, call.perDay ?? -1] : [-1, -1];
      const hour = [perHour, call.hour, call.hourAlone, UNIT_MS.hour + QUOTA_MARGIN_MS];
      const day = [perDay, call.day, call.dayAlone, UNIT_MS.day + QUOTA_MARGIN_MS];
      const args = [call.tokens, ...hour, ...day].map(String);
      const [refused, ofHour, ofDay] = (await evaluate(QUOTA, id, keys, args)) as [number, number, number];
      return { refusedBy: refused === 0 ? null : refused === 1 ? 'hour' : 'day', hour: ofHour, day: ofDay };
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

/** A step, and the limit that it counts on. */
interface LimitStep extends Step {
  policy: LimitPolicy;
}

/** The limits of an address, and of failures of one client id from there, in one slot of a cluster. */
function networkSteps(call: SharedCall, prefix: string): LimitStep[] {
  const { network, failuresKey } = call;
  // A caller may have sent its secret in place of its id: only a digest of it is stored.
  const name = hash('sha256', failuresKey, 'base64url').slice(0, HASH_CHARACTERS);
  return [
    {
      policy: 'address',
      key: `${prefix}:a:{${network}}`,
      perMinute: call.addressPerMinute,
      change: 1,
      aheadMs: 0,
    },
    {
      policy: 'failures',
      key: `${prefix}:f:{${network}}:${name}`,
      perMinute: call.failuresPerMinute,
      change: call.failuresChange,
      aheadMs: 0,
    },
  ];
}

/**
 * The text that places the keys of an API user in a slot of a cluster: those of its organisation's are in
 * one.
 */
function slotText({ id, organisation }: SharedApiUser): string {
  return organisation?.id ?? id;
}

/**
 * The limits of an API user and of its organisation. The first step only checks, so that a call that the
 * organisation's limit refuses is not charged to the API user.
 */
function apiUserSteps(apiUser: SharedApiUser, prefix: string): LimitStep[] {
  const { id, perMinute, aheadMs, organisation } = apiUser;
  const own = { policy: 'api-user', perMinute, aheadMs } as const;
  if (organisation === null) return [{ ...own, key: `${prefix}:u:{${id}}`, change: 1 }];
  const key = `${prefix}:u:{${organisation.id}}:${id}`;
  return [
    { ...own, key, change: 0 },
    {
      policy: 'organisation',
      key: `${prefix}:o:{${organisation.id}}`,
      perMinute: organisation.perMinute,
      change: 1,
      aheadMs: organisation.aheadMs,
    },
    { ...own, key, change: 1 },
  ];
}

/** Of two steps on the same limit, the later one counts. */
function countsOf(steps: readonly LimitStep[], { refusedAt, nowMs, arrivalsMs }: StepsTaken): SharedCounts {
  const aheadMs = (policy: LimitPolicy) => {
    const at = steps.slice(0, arrivalsMs.length).findLastIndex((step) => step.policy === policy);
    return at < 0 ? null : Math.max(0, (arrivalsMs[at] ?? 0) - nowMs);
  };
  return {
    refusedBy: refusedAt === null ? null : (steps[refusedAt]?.policy ?? null),
    addressAheadMs: aheadMs('address') ?? 0,
    failuresAheadMs: aheadMs('failures'),
    apiUserAheadMs: aheadMs('api-user'),
    organisationAheadMs: aheadMs('organisation'),
  };
}

function refundCounts({ nowMs, arrivalsMs: [arrivalMs = 0] }: StepsTaken): SharedCounts {
  const failuresAheadMs = Math.max(0, arrivalMs - nowMs);
  const others = { apiUserAheadMs: null, organisationAheadMs: null };
  return { refusedBy: null, addressAheadMs: 0, failuresAheadMs, ...others };
}

function merged(network: SharedCounts, own: SharedCounts): SharedCounts {
  const { apiUserAheadMs, organisationAheadMs } = own;
  return { ...network, refusedBy: network.refusedBy ?? own.refusedBy, apiUserAheadMs, organisationAheadMs };
}

function stepsTaken(reply: unknown): StepsTaken {
  const [refused, now, ...arrivals] = reply as [number, string, ...string[]];
  return {
    refusedAt: refused === 0 ? null : refused - 1,
    nowMs: Number(now),
    arrivalsMs: arrivals.map(Number),
  };
}
