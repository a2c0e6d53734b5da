import { SYSTEM } from '../domain/actor.ts';
import { makeInvitation, type MadeInvitation } from '../domain/invitation.ts';
import type { Store } from '../storage/store.ts';
import { audited } from '../admin/audited.ts';

/**
 * Makes a link with which the reader of this process's terminal becomes the first admin. It replaces the link
 * of the previous start. Null if links are switched off, or if an operator exists, invited or not: from then
 * on only operators and the command line invite others.
 */
export async function inviteFirstAdmin(
  store: Store,
  lifeSeconds: number,
  nowMs: number,
): Promise<MadeInvitation | null> {
  if (await store.operators.any()) return null;
  const attempt = { action: 'operator.invite', subject: { kind: 'operator', id: null } } as const;
  return await audited({ store, actor: SYSTEM, nowMs }, attempt, async (transaction) => {
    await transaction.operators.lock();
    await transaction.invitations.deleteOf(null);
    const wanted = lifeSeconds > 0 && !(await transaction.operators.any());
    if (!wanted) return { result: null, unchanged: true };
    const created = makeInvitation(null, lifeSeconds, nowMs);
    await transaction.invitations.put(created.invitation);
    return { result: created, after: { role: 'admin', first: true } };
  });
}
