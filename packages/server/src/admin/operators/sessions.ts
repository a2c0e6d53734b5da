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
  /** When it ends unless there is another request. */
  endsAt: number;
}

/**
 * The session that a token opens, as it is in the store at this moment, so that who was removed or demoted a moment ago has
 * lost it in every process; null where it opens none. Only a new request keeps a session alive, not the next look at one
 * that lasts (a stream of events).
 */
export type FindSession = (token: string, isNewRequest: boolean) => Promise<CurrentSession | null>;

export function createSessionFinder(store: Store, limits: SessionLimits, now: () => number): FindSession {
  /** Those whose last request is being written down: a page of the console sends several at once. */
  const underWay = new Set<string>();

  /** Beside the request, which does not wait for it, and is none the worse where it cannot be written. */
  async function noteSeen({ id, operatorId }: Session, nowMs: number): Promise<void> {
    if (underWay.has(id)) return;
    underWay.add(id);
    try {
      await store.write(async ({ sessions, operators }) => {
        await sessions.seen(id, nowMs);
        await operators.seen(operatorId, nowMs);
      });
    } catch {
      // The next request tries again.
    } finally {
      underWay.delete(id);
    }
  }

  return async (token, isNewRequest) => {
    const digest = sessionDigest(token);
    const found = digest === null ? undefined : await store.sessions.find(digest);
    if (found === undefined || operatorState(found.operator) !== 'active') return null;
    const nowMs = now();
    const endsAt = sessionEnd(found.session, limits);
    if (endsAt <= nowMs) return null;
    if (isNewRequest && seenAgain(found.session, limits, nowMs)) void noteSeen(found.session, nowMs);
    return { ...found, endsAt };
  };
}
