import type { LimitTransport, SharedCall, SharedCounts } from '../../domain/shared-limit.ts';
import { memoryLimits } from '../../storage/memory/counters.ts';
import {
  packedCounts,
  unpackedCounts,
  type PackedCall,
  type PackedCounts,
  type PackedOrganisations,
} from './messages.ts';

/** Limits that the primary process counts for its workers. */

/** The calls of one message. */
export interface CallBatch {
  calls: PackedCall[];
  organisations?: PackedOrganisations;
}

interface Batch extends CallBatch {
  callers: { resolve(counts: SharedCounts): void; reject(error: Error): void }[];
}

export interface LimitsOfPrimary extends Omit<LimitTransport, 'countToken'> {
  /** The answer to a batch. */
  counted(batch: number, counts: readonly PackedCounts[]): void;
}

/**
 * Batches that may wait for their answers: one for each turn of the event loop while the primary process is
 * slow.
 */
const BATCHES_MAX = 10_000;

/** The worker's side: all calls of one turn of the event loop go in one message. */
export function limitsOfPrimary(send: (batch: CallBatch & { batch: number }) => void): LimitsOfPrimary {
  const sent = new Map<number, Batch>();
  let next: Batch = { calls: [], callers: [] };
  let number = 0;
  let isClosed = false;

  function sendBatch(): void {
    if (isClosed) return rejectAll(next);
    number += 1;
    sent.set(number, next);
    const { calls, organisations } = next;
    send({ batch: number, calls, ...(organisations && { organisations }) });
    next = { calls: [], callers: [] };
  }

  return {
    count: async (call) =>
      await new Promise((resolve, reject) => {
        if (isClosed) return reject(new Error('the primary process is gone'));
        if (sent.size >= BATCHES_MAX) return reject(new Error('the primary process does not answer'));
        if (next.calls.length === 0) setImmediate(sendBatch);
        const organisation = call.apiUser?.organisation ?? null;
        if (organisation !== null) {
          const { id, perMinute, aheadMs } = organisation;
          (next.organisations ??= {})[next.calls.length] = [id, perMinute, aheadMs];
        }
        next.calls.push(packedCall(call));
        next.callers.push({ resolve, reject });
      }),
    counted(batch, counts) {
      const callers = sent.get(batch)?.callers ?? [];
      sent.delete(batch);
      for (const [i, packed] of counts.entries()) callers[i]?.resolve(unpackedCounts(packed));
    },
    close() {
      isClosed = true;
      for (const batch of sent.values()) rejectAll(batch);
      sent.clear();
    },
  };
}

function rejectAll({ callers }: Batch): void {
  for (const { reject } of callers) reject(new Error('the primary process is gone'));
}

/** The primary's side. */
export function limitsForWorkers(keysMax: number): (batch: CallBatch) => PackedCounts[] {
  const count = memoryLimits(keysMax);
  return ({ calls, organisations = {} }) => {
    const nowMs = Date.now();
    return calls.map((call, i) => packedCounts(count(unpackedCall(call, organisations[i]), nowMs)));
  };
}

/**
 * A primary process of an older version does not know refunds. To it, this is a call of an API user that does
 * not exist, and counts nothing that matters.
 */
const REFUND = { id: 'refund', perMinute: 1e6, aheadMs: 0 } as const;

function packedCall(call: SharedCall): PackedCall {
  const { network, addressPerMinute, failuresKey, failuresPerMinute, failuresChange, apiUser } = call;
  const budgets = [network, addressPerMinute, failuresKey, failuresPerMinute] as const;
  if (failuresChange === -1) return [...budgets, REFUND.id, REFUND.perMinute, REFUND.aheadMs, 'refund'];
  return apiUser === null ? [...budgets] : [...budgets, apiUser.id, apiUser.perMinute, apiUser.aheadMs];
}

function unpackedCall(packed: PackedCall, organisation: PackedOrganisations[number] | undefined): SharedCall {
  const [network, addressPerMinute, failuresKey, failuresPerMinute, ...rest] = packed;
  const [id, perMinute = 1, aheadMs = 0, refund] = rest;
  const call = { network, addressPerMinute, failuresKey, failuresPerMinute };
  if (refund !== undefined) return { ...call, failuresChange: -1, apiUser: null };
  if (id === undefined) return { ...call, failuresChange: 1, apiUser: null };
  const [ofId, ofPerMinute, ofAheadMs] = organisation ?? [];
  const shared =
    ofId === undefined || ofPerMinute === undefined
      ? null
      : { id: ofId, perMinute: ofPerMinute, aheadMs: ofAheadMs ?? 0 };
  return { ...call, failuresChange: 0, apiUser: { id, perMinute, aheadMs, organisation: shared } };
}
