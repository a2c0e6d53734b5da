import type { SharedCounts } from '../../domain/shared-limit.ts';
import type { LimitPolicy } from '../../domain/denial.ts';

// What the primary process and its workers say to each other. JSON, one message for each event or, of limits, for each turn
// of the event loop.

/** What makes a worker this one. */
export interface WorkerPart {
  /** 1 to N; the one that comes after it has the same. */
  number: number;
  port: number;
}

export type ToWorker =
  | ({ kind: 'start' } & WorkerPart)
  /** `drain`: first not ready for a while. `replaced`: another goes on in its place, callers are given time to move over. */
  | { kind: 'stop'; drain: boolean; replaced: boolean }
  | { kind: 'counted'; batch: number; counts: PackedCounts[] }
  | { kind: 'tell metrics'; request: number }
  | { kind: 'all metrics'; request: number; text: string };

export type ToPrimary =
  | { kind: 'hello' }
  /** From time to time until it is ready: a migration may take long. */
  | { kind: 'starting' }
  | { kind: 'ready' }
  | { kind: 'count'; batch: number; calls: PackedCall[] }
  | { kind: 'metrics'; request: number; text: string }
  | { kind: 'ask for metrics'; request: number };

/**
 * A `SharedCall` in few bytes: there is one for every token. The API user and its two numbers are missing in a call that takes
 * from the budget for failures, `refund` in all that do not give back to it.
 */
export type PackedCall = [
  network: string,
  addressPerMinute: number,
  failuresKey: string,
  failuresPerMinute: number,
  apiUser?: string,
  perMinute?: number,
  aheadMs?: number,
  refund?: 'refund',
];

export type PackedCounts = [
  refusedBy: LimitPolicy | null,
  address: number,
  failures: number | null,
  apiUser: number | null,
];

export function packedCounts(counts: SharedCounts): PackedCounts {
  return [counts.refusedBy, counts.addressAheadMs, counts.failuresAheadMs, counts.apiUserAheadMs];
}

export function unpackedCounts(packed: PackedCounts): SharedCounts {
  const [refusedBy, addressAheadMs, failuresAheadMs, apiUserAheadMs] = packed;
  return { refusedBy, addressAheadMs, failuresAheadMs, apiUserAheadMs };
}
