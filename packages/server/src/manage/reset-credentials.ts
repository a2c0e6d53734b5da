import type { Actor } from '../domain/actor.ts';
import { refuseBeyondRole } from '../domain/admin-scope.ts';
import { auditedId, type AuditFacts } from '../domain/audit-entry.ts';
import { credentialFacts, revocationFacts } from '../domain/audit-facts.ts';
import { credentialState, type Credential } from '../domain/credential.ts';
import type { Once } from '../domain/once.ts';
import { Refused } from '../domain/refused.ts';
import type { Store, StoreTransaction } from '../storage/store.ts';
import { existingApiUser } from './api-users.ts';
import { audited } from './audited.ts';
import {
  end,
  insertSecret,
  refuseUnsafe,
  type CreatedSecret,
  type NewCredential,
  type Retirement,
} from './credentials.ts';
import { gatherUsesOf } from './in-use.ts';
import { revokeTokens } from './revocations.ts';

export interface Reset extends NewCredential, Retirement {
  /** How long the live secrets go on working beside the new one; 0: they are retired at once. */
  overlapMs: number;
}

/**
 * A new secret, and an end to the ones that are live: after `overlapMs`, in which callers move to the new one. Throws a
 * Refused (`unsafe`) where the overlap is 0 and one of them was used in the last hour, unless forced.
 */
export async function resetSecrets(
  store: Store,
  by: Actor,
  asked: Reset,
  nowMs: number,
  once?: Once,
): Promise<CreatedSecret & { ending: Credential[] }> {
  if (asked.overlapMs === 0 && !asked.force) await gatherUsesOf(store, asked.owner);
  const attempt = {
    action: 'credential.reset',
    subject: { kind: 'credential', id: null },
    related: { kind: 'api_user', id: auditedId(asked.owner) },
    once,
  } as const;
  return await audited(store, by, nowMs, attempt, async (transaction, note) => {
    const { clientId, scopes } = await existingApiUser(transaction, asked.owner);
    note({ related: { kind: 'api_user', id: clientId } });
    refuseBeyondRole(by, scopes);
    const all = await transaction.credentials.listOf(clientId);
    const live = liveOf(all, nowMs).filter(({ kind }) => kind === 'secret');
    const ending: Credential[] = [];
    for (const credential of live) {
      if (asked.overlapMs === 0) {
        if (!asked.force) await refuseUnsafe(transaction, credential, all, nowMs);
        ending.push(await end(transaction, credential, { retiredAt: nowMs }));
      } else {
        const expiresAt = Math.min(credential.expiresAt ?? Number.POSITIVE_INFINITY, nowMs + asked.overlapMs);
        ending.push(await end(transaction, credential, { expiresAt }));
      }
    }
    const made = await insertSecret(transaction, { ...asked, owner: clientId }, nowMs);
    const revocation = asked.revoke === true ? await revokeTokens(transaction, clientId) : null;
    return {
      result: { ...made, ending },
      subjectId: made.credential.id,
      before: { others: live.map(described) },
      after: {
        ...credentialFacts(made.credential),
        forced: asked.force,
        others: ending.map(described),
        ...revocationFacts(revocation),
      },
    };
  });
}

export interface CutOff {
  /** The credential that somebody knows who must not; null: all that are live. */
  credentialId: string | null;
  /** Makes a fresh secret in the same transaction. */
  newSecret: boolean;
}

export interface CutOffDone {
  retired: Credential[];
  /** Null where none was asked for. */
  made: CreatedSecret | null;
}

/** After a leak: credentials end at once, whoever uses them, and every token that the API user has is revoked. */
export async function cutOff(
  store: Store,
  by: Actor,
  owner: string,
  { credentialId, newSecret }: CutOff,
  nowMs: number,
  once?: Once,
): Promise<CutOffDone> {
  const related = { kind: 'api_user', id: auditedId(owner) } as const;
  const subject =
    credentialId === null ? related : ({ kind: 'credential', id: auditedId(credentialId) } as const);
  const attempt = { action: 'credential.cut_off', subject, related, once } as const;
  return await audited(store, by, nowMs, attempt, async (transaction, note) => {
    const { clientId, scopes } = await existingApiUser(transaction, owner);
    note({ related: { kind: 'api_user', id: clientId } });
    if (newSecret) refuseBeyondRole(by, scopes);
    const live = await toCutOff(transaction, clientId, credentialId, nowMs);
    const retired: Credential[] = [];
    for (const credential of live) retired.push(await end(transaction, credential, { retiredAt: nowMs }));
    const asked = { owner: clientId, name: 'new after a cut-off', expiresAt: null };
    const made = newSecret ? await insertSecret(transaction, asked, nowMs) : null;
    const revocation = await revokeTokens(transaction, clientId);
    return {
      result: { retired, made },
      subjectId: credentialId ?? clientId,
      before: { credentials: live.map(described) },
      after: {
        credentials: retired.map(described),
        new_credential: made === null ? null : described(made.credential),
        ...revocationFacts(revocation),
      },
    };
  });
}

/** One that has ended already is no reason to refuse: its tokens are what there is left to revoke. */
async function toCutOff(
  transaction: StoreTransaction,
  clientId: string,
  credentialId: string | null,
  nowMs: number,
): Promise<Credential[]> {
  const all = await transaction.credentials.listOf(clientId);
  if (credentialId !== null && !all.some(({ id }) => id === credentialId)) {
    throw new Refused('not_found', `The API user ${clientId} has no credential "${credentialId}".`, {
      onCommandLine: `: mintmark credential list ${clientId} shows all.`,
    });
  }
  return liveOf(all, nowMs).filter(({ id }) => credentialId === null || id === credentialId);
}

function liveOf(all: readonly Credential[], nowMs: number): Credential[] {
  return all.filter((credential) => credentialState(credential, nowMs) === 'live');
}

function described(credential: Credential): AuditFacts {
  return { id: credential.id, ...credentialFacts(credential) };
}
