import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config/config.ts';
import type { Finding } from './finding.ts';
import { describeRedis } from '../config/redis-url.ts';
import { redisTargetOf } from '../config/redis-target.ts';
import { isOnThisMachine } from '../storage/postgres/target.ts';
import { redisLimits, type RedisLimits } from '../storage/redis/limits.ts';

/** Time for the first connection, including all attempts. */
const ANSWER_MS = 1500;
const TRY_MS = 50;
/** The fastest of this many calls counts: it measures the distance to Redis, not the load of this machine. */
const CALLS = 5;

/**
 * Checks whether processes can share limits through Redis; no findings without a Redis setting. The check
 * leaves only keys that expire within moments.
 */
export async function redisFindings(config: Config): Promise<Finding[]> {
  const { redisUrl, limitsDeadlineMs, processes } = config;
  const target = redisTargetOf(config);
  if (redisUrl === null || target === null) return [];
  const what = 'limits';
  const shown = describeRedis(redisUrl);
  const limits = redisLimits(target, config.redisPrefix);
  try {
    const tookMs = await timeOfCall(limits);
    const findings: Finding[] = [
      { what, state: 'ok', detail: `${shown} counts them, and answers in ${tookMs.toFixed(1)} ms` },
    ];
    if (tookMs > limitsDeadlineMs / 2) {
      const mend = 'use a Redis that is nearer, or raise MINTMARK_LIMITS_DEADLINE';
      findings.push({
        what,
        state: 'warn',
        detail: `${shown} takes ${tookMs.toFixed(1)} ms to answer`,
        mend,
      });
    }
    if (target.tls === null && !target.servers.every(isOnThisMachine)) {
      const mend = `rediss://… encrypts, and verifies the certificate`;
      findings.push({ what, state: 'warn', detail: `the way to ${shown} is not encrypted`, mend });
    }
    if (processes === 1) {
      const mend = 'set MINTMARK_PROCESSES to the number of processes that share them';
      const detail =
        'while Redis is away, each process lets whole limits through: as far as it knows it is the only one';
      findings.push({ what, state: 'warn', detail, mend });
    }
    return findings;
  } catch (error) {
    const mend =
      'check REDIS_URL, the password and the certificates; until then each process counts, and remembers used assertions, by itself';
    return [
      { what, state: 'fail', detail: `${shown} does not count them: ${(error as Error).message}`, mend },
    ];
  } finally {
    limits.close();
  }
}

/** Milliseconds. Retries for ANSWER_MS, then throws the last error. */
async function timeOfCall(limits: RedisLimits): Promise<number> {
  await import('@redis/client'); // The measurement excludes the time to load the client.
  const startedAt = performance.now();
  for (;;) {
    try {
      let bestMs = Number.POSITIVE_INFINITY;
      for (let i = 0; i < CALLS; i++) {
        const askedAt = performance.now();
        await limits.count(DOCTOR_CALL);
        bestMs = Math.min(bestMs, performance.now() - askedAt);
      }
      return bestMs;
    } catch (error) {
      if (performance.now() - startedAt > ANSWER_MS) throw error;
      await sleep(TRY_MS);
    }
  }
}

const DOCTOR_PER_MINUTE = 1e6;
const DOCTOR_CALL = {
  network: 'doctor',
  addressPerMinute: DOCTOR_PER_MINUTE,
  failuresKey: 'doctor',
  failuresPerMinute: DOCTOR_PER_MINUTE,
  failuresChange: 0 as const,
  apiUser: { id: 'doctor', perMinute: DOCTOR_PER_MINUTE, aheadMs: 0, organisation: null },
};
