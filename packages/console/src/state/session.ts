import { Problem } from '../api/problem.ts';
import type { AccountRole, Role } from '../../../server/src/domain/actor.ts';
import type { MembershipJson, OperatorSessionJson } from '../../../server/src/http/admin/session.wire.ts';
import type { MemberRole } from '../../../server/src/domain/organisation.ts';
import { site } from '../site.ts';
import { organisation } from './organisation.ts';
import { createStore, useStore, type Store } from './store.ts';

export type SessionState =
  | { is: 'unknown' }
  /** No operator is signed in: the sign-in page replaces every page. */
  | { is: 'out' }
  | { is: 'in'; session: OperatorSessionJson }
  /** The session ended on this page: the sign-in lies over the page, which stays. */
  | { is: 'ended'; session: OperatorSessionJson };

export const session: Store<SessionState> = createStore<SessionState>({ is: 'unknown' });

let waiting: { resolve(): void; reject(error: unknown): void }[] = [];

/** Resolves after the operator signs in again; rejects if they sign out. */
export function signInAgain(): Promise<void> {
  const now = session.get();
  if (now.is === 'in') session.set({ is: 'ended', session: now.session });
  else if (now.is !== 'ended') session.set({ is: 'out' });
  return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
}

export function signedIn(next: OperatorSessionJson): void {
  const before = session.get();
  if (before.is === 'ended' && before.session.actor.id !== next.actor.id) {
    location.reload(); // the page shows another operator's data
    return;
  }
  session.set({ is: 'in', session: next });
  for (const { resolve } of takeWaiting()) resolve();
}

export function signedOut(): void {
  session.set({ is: 'out' });
  for (const { reject } of takeWaiting()) {
    reject(new Problem({ title: 'You have signed out.', status: 401, code: 'not_signed_in' }));
  }
}

function takeWaiting(): typeof waiting {
  const taken = waiting;
  waiting = [];
  return taken;
}

const RANK: Record<AccountRole | MemberRole, number> = {
  none: -1,
  viewer: 0,
  operator: 1,
  member: 1,
  admin: 2,
};

/**
 * Whether the person's role here includes `role`: in an organisation, a member counts as an operator. It only
 * hides controls: the server decides.
 */
export function useMay(role: Role): boolean {
  const actor = useActor();
  const shown = useStore(organisation);
  const own = site.kind === 'organisation' ? shown?.role : actor?.role;
  return own !== undefined && RANK[own] >= RANK[role];
}

export function useActor(): OperatorSessionJson['actor'] | null {
  const now = useStore(session);
  return now.is === 'in' || now.is === 'ended' ? now.session.actor : null;
}

/** The organisations of the person signed in. */
export function useOwnOrganisations(): readonly MembershipJson[] {
  const now = useStore(session);
  return now.is === 'in' || now.is === 'ended' ? now.session.organisations : [];
}
