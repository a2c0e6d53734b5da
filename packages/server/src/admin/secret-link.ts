import type { Actor } from '../domain/actor.ts';
import { AppError } from '../domain/app-error.ts';
import { auditedId, type AuditFacts } from '../domain/audit-entry.ts';
import { credentialNameProblem } from '../domain/credential.ts';
import type { Fault } from '../domain/fault.ts';
import {
  isOpenable,
  linkLifeProblem,
  newSecretLink,
  passphraseProblem,
  SECRET_LINKS_MAX,
  type CreatedSecretLink,
  type SecretLink,
  type SecretRequest,
} from '../domain/secret-link.ts';
import { argon2id } from '../lib/argon2id.ts';
import type { Store } from '../storage/store.ts';
import { existingApiUser } from './api-user.ts';
import { audited, type Attempt, type Change } from './audited.ts';
import { beforeCreation, notedOwner } from './credential.ts';

export interface NewSecretLink extends SecretRequest {
  /** Client id or username of the API user. */
  owner: string;
  lifeSeconds: number;
  /** Null: the link alone opens it. */
  passphrase: string | null;
}

/**
 * Makes a link that hands a new secret over. The secret does not exist before the link is opened. Throws an
 * AppError if the policy of the organisation forbids such a secret already now.
 */
export async function createSecretLink(change: Change, input: NewSecretLink): Promise<CreatedSecretLink> {
  const { actor, nowMs } = change;
  const { name, expiresAt, reset, passphrase, lifeSeconds } = input;
  const hash = await beforeCreation(change, input, { kind: 'secret', issuer: null }, async () => {
    refuseFaults(faultsOf(input, nowMs));
    return passphrase === null ? null : await argon2id(passphrase);
  });
  const attempt = attemptOf('secret_link.create', input.owner, null);
  return await audited(change, attempt, async (transaction, identify) => {
    const clientId = await notedOwner(transaction, actor, input.owner, identify);
    const created = newSecretLink({
      clientId,
      request: { name, expiresAt, reset },
      passphraseHash: hash(),
      createdBy: { kind: actor.kind, id: actor.id, name: actor.name },
      createdAt: nowMs,
      expiresAt: nowMs + lifeSeconds * 1000,
    });
    const waiting = await transaction.secretLinks.listOf(clientId);
    if (waiting.filter((link) => isOpenable(link, nowMs)).length >= SECRET_LINKS_MAX) {
      throw new AppError(
        'conflict',
        `The API user has ${SECRET_LINKS_MAX} links that wait to be opened, the most there may be: remove one first.`,
      );
    }
    await transaction.secretLinks.insert(created.link);
    return { result: created, subjectId: created.link.id, after: linkFacts(created.link) };
  });
}

function faultsOf({ name, expiresAt, lifeSeconds, passphrase }: NewSecretLink, nowMs: number): Fault[] {
  const expiry =
    expiresAt !== null && expiresAt <= nowMs + lifeSeconds * 1000
      ? 'The secret would expire before the link does: give a later time.'
      : null;
  const problems = {
    name: credentialNameProblem(name),
    expires_at: expiry,
    link_seconds: linkLifeProblem(lifeSeconds),
    passphrase: passphrase === null ? null : passphraseProblem(passphrase),
  };
  return Object.entries(problems).flatMap(([member, problem]) =>
    problem === null ? [] : [{ member, problem }],
  );
}

function refuseFaults(faults: readonly Fault[]): void {
  if (faults.length === 0) return;
  throw new AppError('invalid', faults.map(({ problem }) => problem).join('\n'), { faults });
}

/** The links of an API user that can still be opened, the oldest first. */
export async function listSecretLinks(
  store: Pick<Store, 'apiUsers' | 'secretLinks'>,
  actor: Actor,
  owner: string,
  nowMs: number,
): Promise<SecretLink[]> {
  const { clientId } = await existingApiUser(store, owner, actor);
  return (await store.secretLinks.listOf(clientId)).filter((link) => isOpenable(link, nowMs));
}

/** Removes a link, which then opens nothing. */
export async function removeSecretLink(change: Change, owner: string, id: string): Promise<void> {
  const attempt = attemptOf('secret_link.remove', owner, auditedId(id));
  await audited(change, attempt, async (transaction, identify) => {
    const clientId = await notedOwner(transaction, change.actor, owner, identify);
    if (!(await transaction.secretLinks.delete(clientId, id))) {
      throw new AppError(
        'not_found',
        `The API user ${clientId} has no link "${id}": it was opened, or expired.`,
      );
    }
    return { result: undefined };
  });
}

function attemptOf(
  action: 'secret_link.create' | 'secret_link.remove',
  owner: string,
  id: string | null,
): Attempt {
  return {
    action,
    subject: { kind: 'secret_link', id },
    related: { kind: 'api_user', id: auditedId(owner) },
  };
}

function linkFacts({ request, passphraseHash, expiresAt }: SecretLink): AuditFacts {
  const { name, reset } = request;
  return {
    expires_at: new Date(expiresAt).toISOString(),
    passphrase: passphraseHash !== null,
    credential_name: name,
    ...(request.expiresAt !== null && {
      credential_expires_at: new Date(request.expiresAt).toISOString(),
    }),
    ...(reset !== null && {
      reset: reset.overlapMs === null ? 'when quiet' : `after ${reset.overlapMs / 1000} s`,
    }),
  };
}
