import { accountOf, type Actor } from '../domain/actor.ts';
import type { ApiUser } from '../domain/api-user.ts';
import { refuseBeyondRole } from '../domain/admin-scope.ts';
import { auditedId, type AuditAction } from '../domain/audit-entry.ts';
import { changedFacts, credentialFacts, newCredentialFacts, revocationFacts } from '../domain/audit-facts.ts';
import {
  credentialNameProblem,
  credentialState,
  LIVE_CREDENTIALS_MAX,
  retirementObjection,
  UNUSED_CREDENTIAL,
  type Credential,
} from '../domain/credential.ts';
import { KIND_FACTS } from '../domain/credential-kind.ts';
import { boundCredential, type BoundCredential } from '../domain/organisation-policy.ts';
import { trustRuleOf } from '../domain/assertion-credential.ts';
import { passwordProblem } from '../domain/password.ts';
import { argon2id } from '../lib/argon2id.ts';
import { randomBase62 } from '../lib/random.ts';
import { AppError } from '../domain/app-error.ts';
import { generateSecret, KEY_ID_LENGTH, secretDigest } from '../domain/secret.ts';
import type { StoreTransaction } from '../storage/store.ts';
import { existingApiUser, type Revoking } from './api-user.ts';
import {
  audited,
  type Attempt,
  type Change,
  type ChangeAuthor,
  type Effect,
  type Identify,
} from './audited.ts';
import { findCredential } from './find-api-user.ts';
import { callersOf, gatherUses } from './in-use.ts';
import { allowedExpiry, policyOfOwner, refuseCredential } from './organisation-policy.ts';
import { revokeTokens } from './revocation.ts';

export interface NewCredential {
  /** Client id or username of the API user. */
  owner: string;
  /** Describes where the credential is deployed. */
  name: string;
  /** Milliseconds since 1970; null: it never expires. */
  expiresAt: number | null;
}

export interface CreatedSecret {
  credential: Credential;
  /** The whole secret: shown only once, and stored nowhere. */
  secret: string;
}

/**
 * Makes a generated secret. Throws an AppError if the API user already has the most live credentials allowed.
 */
export async function createSecret(change: Change, input: NewCredential): Promise<CreatedSecret> {
  const { actor } = change;
  return await audited(change, creation(input), async (transaction, identify) => {
    const owner = await notedOwner(transaction, actor, input.owner, identify);
    const created = await insertSecret(transaction, { ...input, owner }, change);
    return { result: created, ...recordedAs(created.credential) };
  });
}

/** `createSecret` within a larger transaction, for the owner with this client id. The caller records it. */
export async function insertSecret(
  transaction: StoreTransaction,
  input: NewCredential,
  by: ChangeAuthor,
): Promise<CreatedSecret> {
  const { keyId, secret } = generateSecret();
  const material = { id: keyId, kind: 'secret', digest: secretDigest(secret), facts: null } as const;
  return { credential: await insert(transaction, input, by, material), secret };
}

/**
 * Gives the API user a password that a person chose. Throws an AppError if the password is weak, or the API
 * user already has a live one.
 */
export async function createPassword(
  change: Change,
  input: NewCredential,
  password: string,
): Promise<Credential> {
  const { actor } = change;
  const hashed = await hashChosen(password);
  return await audited(change, creation(input), async (transaction, identify) => {
    const owner = await notedOwner(transaction, actor, input.owner, identify);
    const credential = await insertPassword(transaction, { ...input, owner }, hashed, change);
    return { result: credential, ...recordedAs(credential) };
  });
}

/** The hash of a chosen password, or why the password is refused. */
export type ChosenPassword = { digest: string } | { problem: string };

/** Hashes the password. Call it before the transaction, because other changes wait for a transaction. */
export async function hashChosen(password: string): Promise<ChosenPassword> {
  const problem = passwordProblem(password);
  return problem === null ? { digest: await argon2id(password) } : { problem };
}

/** `createPassword` within a larger transaction. The caller records it. */
export async function insertPassword(
  transaction: StoreTransaction,
  input: NewCredential,
  password: ChosenPassword,
  by: ChangeAuthor,
): Promise<Credential> {
  if ('problem' in password) {
    const { problem } = password;
    throw new AppError('invalid', problem, { faults: [{ member: 'password', problem }] });
  }
  const id = randomBase62(KEY_ID_LENGTH);
  const material = { id, kind: 'password', digest: password.digest, facts: null } as const;
  return await insert(transaction, input, by, material);
}

/** The attempt to give an API user a credential. */
export function creation({ owner }: NewCredential): Attempt {
  const related = { kind: 'api_user', id: auditedId(owner) } as const;
  return { action: 'credential.create', subject: { kind: 'credential', id: null }, related };
}

/** The client id of the API user that gets the new credential. The audit entry names it, too. */
export async function notedOwner(
  transaction: StoreTransaction,
  by: Actor,
  owner: string,
  identify: Identify,
): Promise<string> {
  const { clientId, scopes, organisationId } = await existingApiUser(transaction, owner, by);
  identify({ related: { kind: 'api_user', id: clientId }, organisationId });
  refuseBeyondRole(by, scopes);
  return clientId;
}

/**
 * Does work for a new credential that takes too long for a transaction, if the API user may get one. Call the
 * returned function in the transaction: it throws the AppError of the work. So the refusal is on record, and
 * a replay gets its answer even if the work fails this time. The transaction checks the policy once more.
 */
export async function beforeCreation<T>(
  { store, actor, nowMs }: Change,
  { owner, expiresAt }: NewCredential,
  bound: Pick<BoundCredential, 'kind' | 'issuer'>,
  work: () => Promise<T>,
): Promise<() => T> {
  try {
    const user = await existingApiUser(store, owner, actor);
    refuseBeyondRole(actor, user.scopes);
    allowedExpiry(await policyOfOwner(store, user), { ...bound, createdAt: nowMs, expiresAt });
    const result = await work();
    return () => result;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return () => {
      throw error;
    };
  }
}

/** The effect of a creation, for the audit log. */
export function recordedAs(credential: Credential): Effect {
  return { subjectId: credential.id, after: newCredentialFacts(credential) };
}

export interface CredentialChanges {
  name?: string;
  /** Milliseconds since 1970; null: it never expires. */
  expiresAt?: number | null;
}

/**
 * Changes the name or expiry time of a credential. Throws an AppError if the new time is past, or the
 * credential has already ended.
 */
export async function updateCredential(
  change: Change,
  credentialId: string,
  changes: CredentialChanges,
): Promise<Credential> {
  const { actor, nowMs } = change;
  const attempt = about('credential.update', credentialId);
  return await audited(change, attempt, async (transaction, identify) => {
    const { credential: before, owner } = await existingCredential(
      transaction,
      actor,
      credentialId,
      identify,
    );
    refuseBeyondRole(actor, owner.scopes);
    const state = credentialState(before, nowMs);
    if (state !== 'live') {
      throw new AppError('conflict', `Credential ${before.id} is ${state} for good: create another.`);
    }
    const credential = {
      ...before,
      name: changes.name ?? before.name,
      expiresAt: changes.expiresAt === undefined ? before.expiresAt : changes.expiresAt,
    };
    refuseBadName(credential.name);
    refusePast(credential.expiresAt, nowMs);
    const policy = await policyOfOwner(transaction, owner);
    if (policy !== null && endsLater(credential, before))
      refuseCredential(policy, boundCredential(credential));
    await transaction.credentials.update(credential);
    await transaction.changed('api_user', credential.clientId);
    return { result: credential, ...changedFacts(credentialFacts(before), credentialFacts(credential)) };
  });
}

function endsLater(credential: Credential, before: Credential): boolean {
  const expiry = (each: Credential) => each.expiresAt ?? Number.POSITIVE_INFINITY;
  return expiry(credential) > expiry(before);
}

export interface Retirement extends Revoking {
  /** Retires it even if a caller may still use it. */
  force: boolean;
}

/** Retires a credential at once. Throws an AppError (`unsafe`) if that could break a live caller. */
export async function retireCredential(
  change: Change,
  credentialId: string,
  { force, revoke = false }: Retirement,
): Promise<Credential> {
  const { store, actor, nowMs } = change;
  const target = force ? undefined : (await findCredential(store, credentialId, actor))?.credential;
  if (target !== undefined) await gatherUses(store, target.clientId, ({ id }) => id === target.id);
  const attempt = about('credential.retire', credentialId);
  return await audited(change, attempt, async (transaction, identify) => {
    const { credential } = await existingCredential(transaction, actor, credentialId, identify);
    if (!force) {
      const all = await transaction.credentials.listOf(credential.clientId);
      await refuseUnsafe(transaction, credential, all, nowMs);
    }
    const retired = await end(transaction, credential, { retiredAt: credential.retiredAt ?? nowMs });
    const facts = changedFacts(credentialFacts(credential), credentialFacts(retired));
    const revoked = revocationFacts(revoke ? await revokeTokens(transaction, credential.clientId) : null);
    return { result: retired, before: facts.before, after: { ...facts.after, forced: force, ...revoked } };
  });
}

function about(action: AuditAction, credentialId: string): Attempt {
  return { action, subject: { kind: 'credential', id: credentialId } };
}

type Material = Pick<Credential, 'id' | 'kind' | 'digest' | 'facts'>;

/** Adds a credential with this material to the owner with this client id. The caller records it. */
export async function insert(
  transaction: StoreTransaction,
  { owner: clientId, name, expiresAt: requestedExpiry }: NewCredential,
  { actor, nowMs }: ChangeAuthor,
  material: Material,
): Promise<Credential> {
  refuseBadName(name);
  refusePast(requestedExpiry, nowMs);
  const owner = await existingApiUser(transaction, clientId, actor);
  const { kind } = material;
  const issuer = trustRuleOf(material)?.issuer ?? null;
  const bound = { kind, createdAt: nowMs, expiresAt: requestedExpiry, issuer };
  const expiresAt = allowedExpiry(await policyOfOwner(transaction, owner), bound);
  const all = await transaction.credentials.listOf(clientId);
  refuseTooMany(
    all.filter((credential) => credentialState(credential, nowMs) === 'live'),
    kind,
  );
  const credential: Credential = {
    ...material,
    clientId,
    name,
    createdAt: nowMs,
    expiresAt,
    ...UNUSED_CREDENTIAL,
    createdBy: accountOf(actor),
  };
  await transaction.credentials.insert(credential);
  await transaction.changed('api_user', clientId);
  return credential;
}

function refuseBadName(name: string): void {
  const problem = credentialNameProblem(name);
  if (problem === null) return;
  throw new AppError('invalid', problem, { faults: [{ member: 'name', problem }] });
}

function refusePast(expiresAt: number | null, nowMs: number): void {
  if (expiresAt === null || expiresAt > nowMs) return;
  const problem = 'The credential would have expired already: give a later time.';
  throw new AppError('invalid', problem, { faults: [{ member: 'expires_at', problem }] });
}

function refuseTooMany(live: readonly Credential[], kind: Credential['kind']): void {
  if (live.length >= LIVE_CREDENTIALS_MAX) {
    throw new AppError(
      'conflict',
      `The API user has ${live.length} live credentials, the most there may be: retire one of ` +
        `${live.map((credential) => credential.id).join(', ')} first.`,
    );
  }
  const same = live.find((credential) => credential.kind === kind);
  if (same !== undefined && KIND_FACTS[kind].isSingle) {
    throw new AppError('conflict', `The API user has a live ${kind}, ${same.id}: retire it first.`);
  }
}

/** Throws the same AppError if the actor may not know of the credential. */
async function existingCredential(
  transaction: StoreTransaction,
  actor: Actor,
  id: string,
  identify: Identify,
): Promise<{ credential: Credential; owner: ApiUser }> {
  const owned = await findCredential(transaction, id, actor);
  if (owned !== undefined) {
    const { credential, owner } = owned;
    const related = { kind: 'api_user', id: credential.clientId } as const;
    identify({ subjectId: credential.id, related, organisationId: owner.organisationId });
    return owned;
  }
  throw new AppError('not_found', `There is no credential "${id}".`, {
    hint: ': mintmark credential list <client id> shows all.',
  });
}

/** When a credential ends. */
export type CredentialEnd = Partial<Pick<Credential, 'expiresAt' | 'retiredAt' | 'retireWhenQuietFrom'>>;

export async function end(
  transaction: StoreTransaction,
  credential: Credential,
  change: CredentialEnd,
): Promise<Credential> {
  const ended = { ...credential, ...change };
  await transaction.credentials.update(ended);
  await transaction.changed('api_user', credential.clientId);
  return ended;
}

/** Throws an AppError (`unsafe`) if retiring this credential could break a live caller. */
export async function refuseUnsafe(
  transaction: StoreTransaction,
  credential: Credential,
  all: readonly Credential[],
  nowMs: number,
): Promise<void> {
  const objection = retirementObjection(credential, all, nowMs);
  if (objection === null) return;
  throw new AppError(
    'unsafe',
    `Credential ${credential.id} (${credential.name}) is not retired: ${objection}. Move its callers to another ` +
      'credential first.',
    {
      inUse: await callersOf(transaction, credential.clientId, nowMs),
      hint: ', or add --force to cut them off.',
    },
  );
}
