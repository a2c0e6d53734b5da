import { refuseBeyondRole } from '../domain/admin-scope.ts';
import { auditedId, type AuditFacts } from '../domain/audit-entry.ts';
import { changedFacts, credentialFacts, revocationFacts } from '../domain/audit-facts.ts';
import { credentialState, isQuiet, RETIRED_WHEN_QUIET_MS, type Credential } from '../domain/credential.ts';
import { AppError } from '../domain/app-error.ts';
import { KIND_FACTS } from '../domain/credential-kind.ts';
import type { StoreTransaction } from '../storage/store.ts';
import { existingApiUser } from './api-user.ts';
import { audited, type Change, type ChangeAuthor, type Effect } from './audited.ts';
import {
  end,
  hashChosen,
  insertPassword,
  insertSecret,
  refuseUnsafe,
  type ChosenPassword,
  type CreatedSecret,
  type CredentialEnd,
  type NewCredential,
  type Retirement,
} from './credential.ts';
import { gatherUsesOf } from './in-use.ts';
import { revokeTokens } from './revocation.ts';

export interface Reset extends NewCredential, Retirement {
  /** A password that a person chose; undefined: the server generates a secret. */
  password?: string | undefined;
  /** Also ends a live password if the new credential is a secret. */
  endPassword?: boolean;
  /**
   * How long the live credentials still work. 0 retires them at once; null retires them when they are quiet.
   */
  overlapMs: number | null;
}

export interface ResetResult {
  credential: Credential;
  /** The whole secret; null if the new credential is a password. */
  secret: string | null;
  /** The credentials that the reset ends, with their new end. */
  ending: Credential[];
}

/**
 * Makes a new credential and ends the live secrets, with `endPassword` also the password. They end after
 * `overlapMs`, in which callers move to the new credential, or when they are quiet. If the new credential is
 * a password, the old password ends at once, because only one may be live. Throws an AppError (`unsafe`) if
 * retiring a credential at once could break a live caller, unless forced.
 */
export async function resetCredentials(change: Change, input: Reset): Promise<ResetResult> {
  const { store, actor } = change;
  const { overlapMs, password, force } = input;
  if (!force && (overlapMs === 0 || password !== undefined)) await gatherUsesOf(store, input.owner, actor);
  const chosen = password === undefined ? null : await hashChosen(password);
  const attempt = {
    action: 'credential.reset',
    subject: { kind: 'credential', id: null },
    related: { kind: 'api_user', id: auditedId(input.owner) },
  } as const;
  return await audited(change, attempt, async (transaction, identify) => {
    const { clientId, scopes, organisationId } = await existingApiUser(transaction, input.owner, actor);
    identify({ related: { kind: 'api_user', id: clientId }, organisationId });
    refuseBeyondRole(actor, scopes);
    return await replaceCredentials(transaction, { ...input, owner: clientId }, chosen, change);
  });
}

/**
 * `resetCredentials` within a larger transaction, for the owner with this client id. The caller records it.
 * `chosen`: the hash of `password`; null without one.
 */
export async function replaceCredentials(
  transaction: StoreTransaction,
  input: Reset,
  chosen: ChosenPassword | null,
  by: ChangeAuthor,
): Promise<Effect & { result: ResetResult }> {
  const { owner: clientId, force } = input;
  const { nowMs } = by;
  const endsPassword = chosen !== null || input.endPassword === true;
  const all = await transaction.credentials.listOf(clientId);
  const live = liveOf(all, nowMs).filter(
    ({ kind }) => KIND_FACTS[kind].endsWithReset || (endsPassword && kind === 'password'),
  );
  const ending: Credential[] = [];
  for (const credential of live) {
    const ends = endOf(credential, input, nowMs);
    if ('retiredAt' in ends && !force) await refuseUnsafe(transaction, credential, all, nowMs);
    ending.push(await end(transaction, credential, ends));
  }
  const created = await insertNew(transaction, input, chosen, by);
  const revocation = input.revoke === true ? await revokeTokens(transaction, clientId) : null;
  return {
    result: { ...created, ending },
    subjectId: created.credential.id,
    before: { others: live.map(described) },
    after: {
      ...credentialFacts(created.credential),
      forced: force,
      others: ending.map(described),
      ...revocationFacts(revocation),
    },
  };
}

function endOf(credential: Credential, { overlapMs, password }: Reset, nowMs: number): CredentialEnd {
  const isReplaced = password !== undefined && credential.kind === 'password';
  if (overlapMs === 0 || isReplaced) return { retiredAt: nowMs };
  if (overlapMs === null) return { retireWhenQuietFrom: credential.retireWhenQuietFrom ?? nowMs };
  return { expiresAt: Math.min(credential.expiresAt ?? Number.POSITIVE_INFINITY, nowMs + overlapMs) };
}

async function insertNew(
  transaction: StoreTransaction,
  input: NewCredential,
  chosen: ChosenPassword | null,
  by: ChangeAuthor,
): Promise<Omit<ResetResult, 'ending'>> {
  if (chosen === null) return await insertSecret(transaction, input, by);
  return { credential: await insertPassword(transaction, input, chosen, by), secret: null };
}

/**
 * Retires up to `limit` credentials that are to be retired when quiet, and are quiet. Every process runs it
 * from time to time. Returns the `after` of the next run; null: the next run starts from the beginning.
 */
export async function retireQuiet(
  change: Change,
  after: string | null,
  limit: number,
): Promise<string | null> {
  const { store, nowMs } = change;
  const ids = await store.credentials.quiet(nowMs - RETIRED_WHEN_QUIET_MS, after ?? '', limit);
  for (const id of ids) {
    const attempt = { action: 'credential.retire', subject: { kind: 'credential', id } } as const;
    await audited(change, attempt, async (transaction) => {
      const credential = await transaction.credentials.find(id);
      const all = credential === undefined ? [] : await transaction.credentials.listOf(credential.clientId);
      // Check again inside the transaction: a caller may have used it, or another process may have retired
      // it.
      if (credential === undefined || !isQuiet(credential, all, nowMs)) {
        return { result: undefined, unchanged: true };
      }
      const facts = changedFacts(
        credentialFacts(credential),
        credentialFacts(await end(transaction, credential, { retiredAt: nowMs })),
      );
      const related = { kind: 'api_user', id: credential.clientId } as const;
      const owner = await transaction.apiUsers.find(credential.clientId);
      return { result: undefined, related, organisationId: owner?.organisationId ?? null, ...facts };
    });
  }
  return ids.length < limit ? null : (ids.at(-1) ?? null);
}

export interface CutOff {
  /** The leaked credential; null: all live credentials. */
  credentialId: string | null;
  /** Makes a new secret in the same transaction. */
  newSecret: boolean;
}

export interface CutOffResult {
  retired: Credential[];
  /** Null if no new secret was requested. */
  replacement: CreatedSecret | null;
}

/** For a leak: ends credentials at once, even if they are in use, and revokes every token of the API user. */
export async function cutOff(
  change: Change,
  owner: string,
  { credentialId, newSecret }: CutOff,
): Promise<CutOffResult> {
  const { actor, nowMs } = change;
  const related = { kind: 'api_user', id: auditedId(owner) } as const;
  const subject =
    credentialId === null ? related : ({ kind: 'credential', id: auditedId(credentialId) } as const);
  const attempt = { action: 'credential.cut_off', subject, related } as const;
  return await audited(change, attempt, async (transaction, identify) => {
    const { clientId, scopes, organisationId } = await existingApiUser(transaction, owner, actor);
    identify({ related: { kind: 'api_user', id: clientId }, organisationId });
    if (newSecret) refuseBeyondRole(actor, scopes);
    const live = await toCutOff(transaction, clientId, credentialId, nowMs);
    const retired: Credential[] = [];
    for (const credential of live) retired.push(await end(transaction, credential, { retiredAt: nowMs }));
    const input = { owner: clientId, name: 'new after a cut-off', expiresAt: null };
    const removedLinks = credentialId === null ? await transaction.secretLinks.deleteOf(clientId) : 0;
    const replacement = newSecret ? await insertSecret(transaction, input, change) : null;
    const revocation = await revokeTokens(transaction, clientId);
    return {
      result: { retired, replacement },
      subjectId: credentialId ?? clientId,
      before: { credentials: live.map(described) },
      after: {
        credentials: retired.map(described),
        new_credential: replacement === null ? null : described(replacement.credential),
        ...(removedLinks > 0 && { removed_secret_links: removedLinks }),
        ...revocationFacts(revocation),
      },
    };
  });
}

/**
 * The credentials to end. A credential that has ended already is accepted: its tokens can still be revoked.
 */
async function toCutOff(
  transaction: StoreTransaction,
  clientId: string,
  credentialId: string | null,
  nowMs: number,
): Promise<Credential[]> {
  const all = await transaction.credentials.listOf(clientId);
  if (credentialId !== null && !all.some(({ id }) => id === credentialId)) {
    throw new AppError('not_found', `The API user ${clientId} has no credential "${credentialId}".`, {
      hint: `: mintmark credential list ${clientId} shows all.`,
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
