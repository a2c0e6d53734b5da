import type { LiveEvent, PastRates } from '../../runtime/usage/live-events.ts';
import { rounded } from './overview.wire.ts';
import { iso } from './schema.ts';

// The data of server-sent events.

/** Something on a page of the console may have changed. */
export interface ChangeEventJson {
  noun: string;
  id: string;
}

/** The figures of one second in one server process. */
export interface RatesEventJson {
  at: string;
  tokens: number;
  refusals: Readonly<Record<string, number>>;
  p50_ms: number | null;
  p99_ms: number | null;
}

export interface UseEventJson {
  credential_id: string;
  at: string;
  address: string | null;
  count: number;
}

export interface RefusalEventJson {
  reason: string;
  at: string;
  count: number;
}

export function ratesJson({ at, tokens, refusals, p50Ms, p99Ms }: PastRates): RatesEventJson {
  return { at: iso(at), tokens, refusals, p50_ms: rounded(p50Ms), p99_ms: rounded(p99Ms) };
}

export function eventJson(
  event: LiveEvent,
): ChangeEventJson | RatesEventJson | UseEventJson | RefusalEventJson {
  switch (event.event) {
    case 'change':
      return { noun: event.noun, id: event.id };
    case 'rates':
      return ratesJson(event);
    case 'use':
      return {
        credential_id: event.credentialId,
        at: iso(event.at),
        address: event.address,
        count: event.count,
      };
    case 'refusal':
      return { reason: event.reason, at: iso(event.at), count: event.count };
  }
}
