import type { SharedCounts } from '../../domain/shared-limit.ts';
import type { LimitPolicy } from '../../domain/denial.ts';
import type { QuotaCall, QuotaTokens } from '../../domain/quota.ts';
import type { AssertionUse } from '../../domain/used-assertion.ts';

// Messages between the primary process and its workers, as JSON: one for each event or, for limits, one for
// each turn of the event loop.

/** The identity of a worker. */
export interface WorkerPart {
  /** 1 to N. A replacement takes over the number. */
  number: number;
  port: number;
}

export type ToWorker =
  | ({ kind: 'start' } & WorkerPart)
  /**
   * `drain`: `/readyz` fails for a while first. `replaced`: another worker takes over, and callers get time
   * to move to it.
   */
  | { kind: 'stop'; drain: boolean; replaced: boolean }
  | { kind: 'counted'; batch: number; counts: PackedCounts[] }
  | { kind: 'token counted'; request: number; tokens: QuotaTokens }
  | { kind: 'assertion used'; request: number; use: AssertionUse }
  | { kind: 'tell metrics'; request: number }
  | { kind: 'all metrics'; request: number; text: string };

export type ToPrimary =
  | { kind: 'hello' }
  /** Sent regularly until the worker is ready: a migration may take long. */
  | { kind: 'starting' }
  | { kind: 'ready' }
  /** An older primary process knows no organisations: it ignores them, and names none in its answer. */
  | { kind: 'count'; batch: number; calls: PackedCall[]; organisations?: PackedOrganisations }
  | { kind: 'count token'; request: number; call: QuotaCall }
  | { kind: 'use assertion'; request: number; key: string; untilMs: number }
  | { kind: 'metrics'; request: number; text: string }
  | { kind: 'ask for metrics'; request: number };

/**
 * A `SharedCall` in few bytes, since each token needs one. A call that takes from the budget for failures
 * leaves out the API user and its two numbers. Only a refund to this budget has `refund`.
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

/** The limits of organisations, by the number of the call in its batch. Most calls have none. */
export type PackedOrganisations = Record<number, [id: string, perMinute: number, aheadMs: number]>;

/** Without the organisation if the call did not reach its limit. */
export type PackedCounts = [
  refusedBy: LimitPolicy | null,
  address: number,
  failures: number | null,
  apiUser: number | null,
  organisation?: number,
];

export function packedCounts(counts: SharedCounts): PackedCounts {
  const { refusedBy, addressAheadMs, failuresAheadMs, apiUserAheadMs, organisationAheadMs } = counts;
  return organisationAheadMs === null
    ? [refusedBy, addressAheadMs, failuresAheadMs, apiUserAheadMs]
    : [refusedBy, addressAheadMs, failuresAheadMs, apiUserAheadMs, organisationAheadMs];
}

export function unpackedCounts(packed: PackedCounts): SharedCounts {
  const [refusedBy, addressAheadMs, failuresAheadMs, apiUserAheadMs, organisationAheadMs = null] = packed;
  return { refusedBy, addressAheadMs, failuresAheadMs, apiUserAheadMs, organisationAheadMs };
}
