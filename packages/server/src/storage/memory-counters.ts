import type { Counters } from '../domain/as-api-user.ts';
import { peekCall, takeCall, WINDOW_MS, type LimitState } from '../domain/rate-limit.ts';

/**
 * Limits counted in this process. Two generations of a window each: what was not touched for a window means nothing any
 * more (`takeCall`), so the older one is dropped whole, and no sweep is needed. `keysMax` bounds each generation: under
 * a flood of keys the older one goes early, which forgives some calls and never refuses one.
 */
export function memoryCounters(keysMax: number): Counters {
  let current = new Map<string, number>();
  let previous = new Map<string, number>();
  let startedAt = 0;

  function turn(nowMs: number): void {
    const ageMs = nowMs - startedAt; // below zero where the clock was set back
    if (ageMs >= 0 && ageMs < WINDOW_MS && current.size < keysMax) return;
    previous = ageMs < 2 * WINDOW_MS ? current : new Map();
    current = new Map();
    startedAt = nowMs;
  }

  return {
    take(key: string, perMinute: number, nowMs: number): LimitState {
      turn(nowMs);
      const { state, arrivalMs } = takeCall(current.get(key) ?? previous.get(key), perMinute, nowMs);
      current.set(key, arrivalMs);
      return state;
    },
    idle(nowMs: number): boolean {
      turn(nowMs);
      return current.size + previous.size === 0;
    },
    peek(key: string, perMinute: number, nowMs: number): LimitState {
      turn(nowMs);
      return peekCall(current.get(key) ?? previous.get(key), perMinute, nowMs);
    },
  };
}
