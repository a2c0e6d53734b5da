import type { Session } from '../domain/session.ts';
import { audited, type Change } from './audited.ts';

/** Records that an operator views an organisation as its members see it: once for each session. */
export type RecordView = (change: Change, organisationId: string, session: Session) => Promise<void>;

/** Views that this process remembers. The audit log answers for others. */
const VIEWS_MAX = 10_000;

export function createViewRecord(): RecordView {
  const views = new Map<string, Promise<void>>();
  return async (change, organisationId, session) => {
    const key = `${session.id} ${organisationId}`;
    const view = views.get(key) ?? record(change, organisationId, session);
    views.delete(key); // the latest come last
    views.set(key, view);
    const [oldest] = views.keys();
    if (views.size > VIEWS_MAX && oldest !== undefined) views.delete(oldest);
    try {
      await view;
    } catch (error) {
      views.delete(key);
      throw error;
    }
  };
}

async function record(change: Change, organisationId: string, session: Session): Promise<void> {
  const action = 'organisation.view';
  const filter = { action, subject: session.id, organisation: organisationId };
  if ((await change.store.audit.list(filter, { before: null, limit: 1 })).length > 0) return;
  const related = { kind: 'session', id: session.id } as const;
  const attempt = { action, subject: { kind: 'organisation', id: organisationId }, related } as const;
  await audited(change, attempt, async () => ({ result: undefined, organisationId }));
}
