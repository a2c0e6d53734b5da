import { operatorState, type Operator } from '../../domain/operator.ts';
import {
  seenAgain,
  sessionDigest,
  sessionEnd,
  type Session,
  type SessionLimits,
} from '../../domain/session.ts';
import type { Store } from '../../storage/store.ts';

export interface CurrentSession {
  session: Session;
  operator: Operator;
  /** When it ends without another request. */
  endsAt: number;
}

/**
 * Finds the session of a token; null if the token opens none. Reads the store every time, so that an operator
 * removed or demoted a moment ago loses the session in every process. Only a new request keeps a session
 * alive, not a later check for a response that lasts (a stream of events).
 */
export type FindSession = (token: string, isNewRequest: boolean) => Promise<CurrentSession | null>;

export function createSessionFinder(store: Store, limits: SessionLimits, now: () => number): FindSession {
  /**
   * The ids of sessions whose last request is being stored: a page of the console sends several requests at
   * once.
   */
  const underWay = new Set<string>();

  /**
   * Stores the time of the last request. The request does not wait for the write, and succeeds even if it
   * fails.
   */
  async function noteSeen({ id, operatorId }: Session, nowMs: number): Promise<void> {
    if (underWay.has(id)) return;
    underWay.add(id);
    try {
      await store.write(async ({ sessions, operators }) => {
        await sessions.seen(id, nowMs);
        await operators.seen(operatorId, nowMs);
      });
    } catch {
      // The next request retries.
    } finally {
      underWay.delete(id);
    }
  }

  return async (token, isNewRequest) => {
    const digest = sessionDigest(token);
    const row = digest === null ? undefined : await store.sessions.find(digest);
    if (row === undefined || operatorState(row.operator) !== 'active') return null;
    const nowMs = now();
    const endsAt = sessionEnd(row.session, limits);
    if (endsAt <= nowMs) return null;
    if (isNewRequest && seenAgain(row.session, limits, nowMs)) void noteSeen(row.session, nowMs);
    return { ...row, endsAt };
  };
}
