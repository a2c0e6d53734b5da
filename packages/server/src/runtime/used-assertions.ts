import type { Config } from '../config/config.ts';
import type { AssertionUse, UsedAssertions, UseElsewhere } from '../domain/used-assertion.ts';
import type { MaybePromise } from '../lib/maybe-promise.ts';
import { usedAssertionsInMemory } from '../storage/memory/used-assertions.ts';
import { CLOCK_FAR_MS } from './clock-watch.ts';
import type { Limits } from './limits/limits.ts';

/**
 * Redis keeps a use for this much longer than this process accepts the assertion: this clock may be ahead,
 * and a process whose clock is behind accepts the assertion for longer.
 */
const CLOCKS_APART_MS: number = 2 * CLOCK_FAR_MS;

export interface UsedAssertionsOfProcess extends UsedAssertions {
  /** Assertions in the memory of this process. */
  size(): number;
  /** Uses that Redis was to record, and that only this machine knows. */
  usedAlone(): number;
}

/**
 * Remembers used assertions on this machine, and then in Redis, if there is one. `machine`: the process that
 * remembers for all workers of this machine; null: this one. While Redis is away, each machine knows its own
 * uses only, and after a restart an assertion can be used again.
 */
export function createUsedAssertions(
  { usedAssertionsMax }: Pick<Config, 'usedAssertionsMax'>,
  machine: UseElsewhere | null,
  redis: Limits['useInRedis'],
): UsedAssertionsOfProcess {
  const memory = usedAssertionsInMemory(usedAssertionsMax);
  let alone = 0;

  function useHere(key: string, untilMs: number, nowMs: number): MaybePromise<AssertionUse | 'away'> {
    return machine === null
      ? memory.use(key, untilMs, nowMs)
      : machine(key, untilMs).catch(() => 'away' as const);
  }

  async function useTogether(
    here: MaybePromise<AssertionUse | 'away'>,
    inRedis: () => Promise<AssertionUse | null>,
  ): Promise<AssertionUse | 'away'> {
    const use = await here;
    if (use !== 'new') return use;
    const everywhere = await inRedis();
    if (everywhere === null) alone += 1;
    return everywhere ?? 'new';
  }

  return {
    includes: memory.includes,
    use(key, untilMs, nowMs) {
      const here = useHere(key, untilMs, nowMs);
      return redis === null ? here : useTogether(here, () => redis(key, untilMs - nowMs + CLOCKS_APART_MS));
    },
    size: memory.size,
    usedAlone: () => alone,
  };
}
