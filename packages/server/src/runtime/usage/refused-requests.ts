import type { Logger } from 'pino';
import type { Caller } from '../../domain/caller.ts';
import { storedText } from '../../domain/characters.ts';
import type { Denial } from '../../domain/denial.ts';
import type { KnownApiUser } from '../../domain/known-api-user.ts';
import { limitedNetwork } from '../../domain/network.ts';
import { refusalReason, type Refusal } from '../../domain/refusal.ts';
import { provesCaller, type RefusedRequest } from '../../domain/refused-request.ts';
import { keyIdOf } from '../../domain/secret.ts';
import { createPeriodicRun } from '../../lib/periodic-run.ts';

/**
 * Gathers refused requests of known API users in memory and writes them every few seconds. Strangers cannot
 * fill the memory, nor keep the refusals of an API user's own callers out of it.
 */
export interface RefusedRequestRecorder {
  note(refusal: Refusal, nowMs: number): void;
  flush(): Promise<void>;
  start(): void;
  /** Writes the rest. */
  stop(): Promise<void>;
}

/** The most that wait. The rest beyond those of unproved callers is for proved ones. */
const WAITING_MAX = 2000;
const UNPROVED_WAITING_MAX = 1500;
/** The most that wait of unproved callers in one network, over all API users. */
const NETWORK_WAITING_MAX = 300;
/** Of one API user and network, the last ones wait. */
const SAME_WAITING_MAX = 20;
/**
 * Stands for the client ids that no API user has. Their requests are gathered like any other, so that the
 * time of an answer reveals no client id.
 */
const NO_API_USER = '';
const BATCH = 500;
const DETAIL_LENGTH_MAX = 300;

/** Its detail becomes a text when it is written: callers must not measure the time for it. */
interface Waiting extends Omit<RefusedRequest, 'detail'> {
  detail: (() => string | null) | null;
}

export function createRefusedRequestRecorder(
  write: (batch: readonly RefusedRequest[]) => Promise<void>,
  { usageFlushMs }: { usageFlushMs: number },
  log: Logger,
): RefusedRequestRecorder {
  /** By API user, network, and whether the caller is proved: the last ones of each. */
  let waiting = new Map<string, Waiting[]>();
  let byNetwork = new Map<string, number>();
  let count = 0;
  let unproved = 0;
  /** What could not be written. */
  let left: RefusedRequest[] = [];

  function add(request: Waiting): void {
    const key = `${request.clientId} ${request.network} ${request.proved}`;
    const same = waiting.get(key);
    if (same !== undefined && same.length >= SAME_WAITING_MAX) {
      same.shift();
      same.push(request);
      return;
    }
    const ofNetwork = byNetwork.get(request.network) ?? 0;
    if (count + left.length >= WAITING_MAX) return;
    if (!request.proved) {
      if (unproved >= UNPROVED_WAITING_MAX || ofNetwork >= NETWORK_WAITING_MAX) return;
      byNetwork.set(request.network, ofNetwork + 1);
      unproved += 1;
    }
    count += 1;
    if (same === undefined) waiting.set(key, [request]);
    else same.push(request);
  }

  function drain(): RefusedRequest[] {
    const drained = Array.from(waiting.values()).flat();
    waiting = new Map();
    byNetwork = new Map();
    count = 0;
    unproved = 0;
    return drained.filter(({ clientId }) => clientId !== NO_API_USER).map(withText);
  }

  async function writeAll(): Promise<void> {
    const all = [...left, ...drain()];
    left = [];
    for (let from = 0; from < all.length; from += BATCH) {
      try {
        await write(all.slice(from, from + BATCH));
      } catch (error) {
        log.warn({ error: (error as Error).message }, 'refused requests could not be written, and are kept');
        left = all.slice(from);
        return;
      }
    }
  }

  const { run: flush, start, stop } = createPeriodicRun(writeAll, usageFlushMs);

  return {
    note({ denial, caller, apiUser }, nowMs) {
      if (caller !== null) add(waitingOf(denial, caller, apiUser, nowMs));
    },
    flush,
    start,
    stop,
  };
}

function waitingOf(
  denial: Denial,
  { address, traceId, clientSecret }: Caller,
  apiUser: KnownApiUser | undefined,
  nowMs: number,
): Waiting {
  const refusedBy = denial.denied === 'invalid_client' ? (denial.refusedBy?.[0] ?? null) : null;
  return {
    clientId: apiUser?.clientId ?? NO_API_USER,
    at: nowMs,
    traceId,
    address,
    network: limitedNetwork(address),
    proved: provesCaller(denial),
    reason: refusalReason(denial),
    credentialId: refusedBy?.credentialId ?? keyIdOf(clientSecret),
    detail: refusedBy?.detail ?? null,
  };
}

function withText({ detail, ...request }: Waiting): RefusedRequest {
  const text = detail?.() ?? null;
  return { ...request, detail: text === null ? null : storedText(text, DETAIL_LENGTH_MAX) };
}
