import {
  credentialState,
  LIVE_CREDENTIALS_MAX,
  retirementObjection,
  type Credential,
} from '../domain/credential.ts';
import { hashPassword, passwordProblem } from '../domain/password.ts';
import { randomBase62 } from '../domain/random.ts';
import { Refused } from '../domain/refused.ts';
import { generateSecret, KEY_ID_LENGTH, secretDigest } from '../domain/secret.ts';
import type { Store, StoreTransaction } from '../storage/store.ts';
import { existingApiUser, type Revoking } from './api-users.ts';
import { revokeTokens } from './revocations.ts';

export interface NewCredential {
  /** Client id or username of the API user. */
  owner: string;
  /** Says where it is deployed. */
  name: string;
  /** Milliseconds since 1970; null: it never expires. */
  expiresAt: number | null;
}

export interface CreatedSecret {
  credential: Credential;
  /** The whole secret: shown this once, and stored nowhere. */
  secret: string;
}

/** Makes a generated secret. Throws a Refused where the API user has as many live credentials as it may. */
export async function createSecret(
  store: Store,
  asked: NewCredential,
  nowMs: number,
): Promise<CreatedSecret> {
  return await store.write((transaction) => insertSecret(transaction, asked, nowMs));
}

/** `createSecret` as a part of something larger. */
export async function insertSecret(
  transaction: StoreTransaction,
  asked: NewCredential,
  nowMs: number,
): Promise<CreatedSecret> {
  const { keyId, secret } = generateSecret();
  const credential = await insert(transaction, asked, nowMs, {
    id: keyId,
    kind: 'secret',
    digest: secretDigest(secret),
  });
  return { credential, secret };
}

/** Gives the API user a password chosen by a person. Throws a Refused where it is weak, or there is a live one. */
export async function createPassword(
  store: Store,
  asked: NewCredential,
  password: string,
  nowMs: number,
): Promise<Credential> {
  const problem = passwordProblem(password);
  if (problem !== null) throw new Refused('invalid', problem);
  const digest = await hashPassword(password);
  const made = { id: randomBase62(KEY_ID_LENGTH), kind: 'password', digest } as const;
  return await store.write((transaction) => insert(transaction, asked, nowMs, made));
}

export interface Retirement extends Revoking {
  /** Retires it although a caller may still use it. */
  force: boolean;
}

/** Makes a credential useless at once. Throws a Refused (`unsafe`) where that could break a live caller. */
export async function retireCredential(
  store: Store,
  credentialId: string,
  { force, revoke = false }: Retirement,
  nowMs: number,
): Promise<Credential> {
  return await store.write(async (transaction) => {
    const credential = await existingCredential(transaction, credentialId);
    if (!force) {
      const all = await transaction.credentials.listOf(credential.clientId);
      refuseUnsafe(credential, retirementObjection(credential, all, nowMs));
    }
    if (revoke) await revokeTokens(transaction, credential.clientId);
    return await end(transaction, credential, { retiredAt: credential.retiredAt ?? nowMs });
  });
}

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
  asked: Reset,
  nowMs: number,
): Promise<CreatedSecret & { ending: Credential[] }> {
  const { keyId, secret } = generateSecret();
  return await store.write(async (transaction) => {
    const { clientId } = await existingApiUser(transaction, asked.owner);
    const all = await transaction.credentials.listOf(clientId);
    const old = all.filter(
      (credential) => credential.kind === 'secret' && credentialState(credential, nowMs) === 'live',
    );
    const ending: Credential[] = [];
    for (const credential of old) {
      if (asked.overlapMs === 0) {
        if (!asked.force) refuseUnsafe(credential, retirementObjection(credential, all, nowMs));
        ending.push(await end(transaction, credential, { retiredAt: nowMs }));
      } else {
        const expiresAt = Math.min(credential.expiresAt ?? Number.POSITIVE_INFINITY, nowMs + asked.overlapMs);
        ending.push(await end(transaction, credential, { expiresAt }));
      }
    }
    const credential = await insertInto(transaction, clientId, asked, nowMs, {
      id: keyId,
      kind: 'secret',
      digest: secretDigest(secret),
    });
    if (asked.revoke === true) await revokeTokens(transaction, clientId);
    return { credential, secret, ending };
  });
}

type Made = Pick<Credential, 'id' | 'kind' | 'digest'>;

async function insert(
  transaction: StoreTransaction,
  asked: NewCredential,
  nowMs: number,
  made: Made,
): Promise<Credential> {
  const { clientId } = await existingApiUser(transaction, asked.owner);
  return await insertInto(transaction, clientId, asked, nowMs, made);
}

async function insertInto(
  transaction: StoreTransaction,
  clientId: string,
  { name, expiresAt }: NewCredential,
  nowMs: number,
  made: Made,
): Promise<Credential> {
  refuseBadName(name);
  if (expiresAt !== null && expiresAt <= nowMs) {
    throw new Refused('invalid', 'The credential would have expired already: give a later time.');
  }
  const all = await transaction.credentials.listOf(clientId);
  refuseTooMany(
    all.filter((credential) => credentialState(credential, nowMs) === 'live'),
    made.kind,
  );
  const credential: Credential = {
    ...made,
    clientId,
    name,
    createdAt: nowMs,
    expiresAt,
    retiredAt: null,
    lastUsedAt: null,
    lastUsedAddress: null,
    useCount: 0,
  };
  await transaction.credentials.insert(credential);
  await transaction.changed('api_user', clientId);
  return credential;
}

function refuseBadName(name: string): void {
  if (name.trim() !== '' && name.length <= 200 && !/\p{Cc}/u.test(name)) return;
  throw new Refused(
    'invalid',
    'A credential has a name of 1 to 200 characters that says where it is deployed.',
  );
}

function refuseTooMany(live: readonly Credential[], kind: Credential['kind']): void {
  if (live.length >= LIVE_CREDENTIALS_MAX) {
    throw new Refused(
      'conflict',
      `The API user has ${live.length} live credentials, the most there may be: retire one of ` +
        `${live.map((credential) => credential.id).join(', ')} first.`,
    );
  }
  const password = live.find((credential) => credential.kind === 'password');
  if (kind === 'password' && password !== undefined) {
    throw new Refused('conflict', `The API user has a live password, ${password.id}: retire it first.`);
  }
}

async function existingCredential(transaction: StoreTransaction, id: string): Promise<Credential> {
  const credential = await transaction.credentials.find(id);
  if (credential !== undefined) return credential;
  throw new Refused(
    'not_found',
    `There is no credential "${id}": mintmark credential list <client id> shows all.`,
  );
}

async function end(
  transaction: StoreTransaction,
  credential: Credential,
  change: Partial<Pick<Credential, 'expiresAt' | 'retiredAt'>>,
): Promise<Credential> {
  const ended = { ...credential, ...change };
  await transaction.credentials.setEnd(credential.id, ended);
  await transaction.changed('api_user', credential.clientId);
  return ended;
}

function refuseUnsafe(credential: Credential, objection: string | null): void {
  if (objection === null) return;
  throw new Refused(
    'unsafe',
    `Credential ${credential.id} (${credential.name}) is not retired: ${objection}. Move its callers to another ` +
      'credential first, or add --force to cut them off.',
  );
}
