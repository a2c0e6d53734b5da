import type { RefusalReason } from '../../domain/refusal.ts';

/** How a request ended. `server_error` is a bug. */
export type Outcome = 'ok' | RefusalReason | 'method_not_allowed' | 'server_error';

/**
 * Upper bounds of the latency histogram, in milliseconds; one more bucket counts higher latencies. The bounds
 * are fine enough for a 99th percentile, and few enough that nearly all requests need only a few comparisons.
 */
export const LATENCY_BOUNDS_MS: readonly number[] = [
  0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700,
  1000, 2000, 5000, 10_000,
];

/**
 * The requests of one route since the start of this process. Plain numbers, because each token updates them.
 */
export interface RouteStatistics {
  /** `ms` is the time from the arrival of the head of the request to the handover of its answer. */
  record(outcome: Outcome, ms: number): void;
  /**
   * Counts a request that was refused before any work. Its time is left out of the latency, which it would
   * flatter.
   */
  noteUntouched(outcome: Outcome): void;
  /** The answers so far. */
  counts(): RouteCounts;
}

export interface RouteCounts {
  ok: number;
  refusals: ReadonlyMap<Outcome, number>;
  /** Answers in each bucket of `LATENCY_BOUNDS_MS`, and above the last bound. */
  latency: readonly number[];
  latencySumMs: number;
}

export function createRouteStatistics(): RouteStatistics {
  const latency = Array.from({ length: LATENCY_BOUNDS_MS.length + 1 }, () => 0);
  const refusals = new Map<Outcome, number>();
  let ok = 0;
  let latencySumMs = 0;

  return {
    record(outcome, ms) {
      if (outcome === 'ok') ok += 1;
      else refusals.set(outcome, (refusals.get(outcome) ?? 0) + 1);
      let bucket = 0;
      while (bucket < LATENCY_BOUNDS_MS.length && ms > (LATENCY_BOUNDS_MS[bucket] as number)) bucket += 1;
      (latency[bucket] as number) += 1;
      latencySumMs += ms;
    },
    noteUntouched(outcome) {
      refusals.set(outcome, (refusals.get(outcome) ?? 0) + 1);
    },
    counts: () => ({ ok, refusals: new Map(refusals), latency: [...latency], latencySumMs }),
  };
}

/** What happened between two counts of a route. */
export interface Rates {
  tokens: number;
  refusals: Record<string, number>;
  /** Null without requests. */
  p50Ms: number | null;
  p99Ms: number | null;
}

export function ratesBetween(before: RouteCounts, after: RouteCounts): Rates {
  const latency = after.latency.map((count, i) => count - (before.latency[i] ?? 0));
  const refusals: Record<string, number> = {};
  for (const [reason, count] of after.refusals) {
    const more = count - (before.refusals.get(reason) ?? 0);
    if (more > 0) refusals[reason] = more;
  }
  return {
    tokens: after.ok - before.ok,
    refusals,
    p50Ms: percentile(latency, 0.5),
    p99Ms: percentile(latency, 0.99),
  };
}

/** Interpolates within the bucket; returns the last bound if the percentile is above it. */
export function percentile(latency: readonly number[], part: number): number | null {
  const all = latency.reduce((sum, count) => sum + count, 0);
  if (all === 0) return null;
  const rank = all * part;
  let below = 0;
  for (const [i, count] of latency.entries()) {
    const to = LATENCY_BOUNDS_MS[i];
    if (to === undefined) break;
    if (count > 0 && below + count >= rank) {
      const from = LATENCY_BOUNDS_MS[i - 1] ?? 0;
      return from + ((to - from) * (rank - below)) / count;
    }
    below += count;
  }
  return LATENCY_BOUNDS_MS.at(-1) ?? null;
}
