/** The shortest and the longest wait between attempts that fail. */
export interface Backoff {
  firstMs: number;
  maxMs: number;
}

/** The wait after this many failures in a row: `firstMs` after one, and twice as long after each more. */
export function backoffMs(failures: number, { firstMs, maxMs }: Backoff): number {
  return Math.min(maxMs, firstMs * 2 ** (failures - 1));
}

/** A random time from half of `ms` to `ms`, so that processes do not retry at the same moment. */
export function spreadMs(ms: number): number {
  return ms * (0.5 + Math.random() / 2);
}
