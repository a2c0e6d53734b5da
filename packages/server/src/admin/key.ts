import { reaches } from '../domain/actor.ts';
import { factsDigest, keyFactsOf, type KeyFacts } from '../domain/assertion-credential.ts';
import { AppError } from '../domain/app-error.ts';
import { credentialState, type Credential } from '../domain/credential.ts';
import { urlProblem } from '../domain/trust-rule-faults.ts';
import { readPublicKey } from '../domain/public-key.ts';
import { KEY_ID_LENGTH } from '../domain/secret.ts';
import { randomBase62 } from '../lib/random.ts';
import type { KeySourceCheck } from '../runtime/trusted-keys/check.ts';
import type { StoreTransaction } from '../storage/store.ts';
import { audited, type Change, type ChangeAuthor } from './audited.ts';
import { checkFor } from './key-source-check.ts';
import {
  beforeCreation,
  creation,
  insert,
  notedOwner,
  recordedAs,
  type NewCredential,
} from './credential.ts';

/** A public key as text (PEM, JWK, JWKS), or the URL of a key set. */
export type KeyInput = { publicKey: string } | { jwksUrl: string };

export interface CreatedKey {
  credential: Credential;
  /** What the callers must do from now on; null: nothing. */
  notice: string | null;
}

/**
 * Registers the public key of an API user, or the URL of its key set. Throws an AppError if the key is not
 * usable, or any API user has or had it.
 */
export async function createKey(
  change: Change,
  input: NewCredential,
  key: KeyInput,
  check: KeySourceCheck,
): Promise<CreatedKey> {
  const { actor, nowMs } = change;
  const confinedCheck = checkFor(actor, check);
  const checked = await beforeCreation(change, input, { kind: 'key', issuer: null }, async () => {
    const { facts, digest } = readKey(key);
    if ('jwks_url' in facts) await confinedCheck({ url: facts.jwks_url }, 'jwks_url', nowMs);
    return { facts, digest };
  });
  return await audited(change, creation(input), async (transaction, identify) => {
    const owner = await notedOwner(transaction, actor, input.owner, identify);
    const { facts, digest } = checked();
    await refuseKnownKey(transaction, { owner, digest, member: memberOf(facts) }, change);
    const others = await liveKeys(transaction, owner, nowMs);
    const material = { id: randomBase62(KEY_ID_LENGTH), kind: 'key', digest, facts } as const;
    const credential = await insert(transaction, { ...input, owner }, change, material);
    const notice = others.length === 0 ? null : secondKeyNotice(credential, others);
    return { result: { credential, notice }, ...recordedAs(credential) };
  });
}

function readKey(key: KeyInput): { facts: KeyFacts; digest: string } {
  if ('jwksUrl' in key) {
    const facts = { jwks_url: key.jwksUrl };
    const problem = urlProblem(key.jwksUrl);
    if (problem === null) return { facts, digest: factsDigest(facts) };
    throw new AppError('invalid', problem, { faults: [{ member: 'jwks_url', problem }] });
  }
  const outcome = readPublicKey(key.publicKey);
  if (!Array.isArray(outcome)) return { facts: { jwk: outcome.jwk }, digest: outcome.thumbprint };
  throw new AppError('invalid', outcome.map(({ problem }) => problem).join(' '), { faults: outcome });
}

function memberOf(facts: KeyFacts): string {
  return 'jwk' in facts ? 'public_key' : 'jwks_url';
}

interface NewKey {
  /** Client id of the API user. */
  owner: string;
  digest: string;
  member: string;
}

async function refuseKnownKey(
  transaction: StoreTransaction,
  { owner, digest, member }: NewKey,
  { actor, nowMs }: ChangeAuthor,
): Promise<void> {
  const [holder] = await transaction.credentials.keyOwners([digest]);
  if (holder === undefined) return;
  const user = await transaction.apiUsers.find(holder.clientId);
  const problem = reaches(actor, user?.organisationId ?? null)
    ? knownKeyProblem(holder, owner, credentialState(holder, nowMs))
    : UNUSABLE_KEY;
  throw new AppError('conflict', problem, { faults: [{ member, problem }] });
}

/** A member does not learn which API users outside the organisation exist. */
const UNUSABLE_KEY = 'The key cannot be registered: generate one for this API user alone.';

function knownKeyProblem(
  { id, clientId }: { id: string; clientId: string },
  owner: string,
  state: string,
): string {
  if (clientId !== owner)
    return `The key belongs to another API user, ${clientId} (credential ${id}): generate one for each.`;
  return state === 'live'
    ? `The API user has this key already: it is credential ${id}.`
    : `The API user had this key already: credential ${id} is ${state} for good. Generate another key.`;
}

async function liveKeys(
  transaction: StoreTransaction,
  owner: string,
  nowMs: number,
): Promise<readonly Credential[]> {
  const all = await transaction.credentials.listOf(owner);
  return all.filter((each) => each.kind === 'key' && credentialState(each, nowMs) === 'live');
}

/** Assertions without `kid` are checked with the oldest key that fits: so a second key breaks no caller. */
function secondKeyNotice(credential: Credential, others: readonly Credential[]): string {
  const facts = keyFactsOf(credential);
  const own = facts !== null && 'jwk' in facts ? (facts.jwk.kid ?? credential.id) : 'its kid';
  return (
    `The API user has ${others.length + 1} live keys: callers with this one must send kid ${JSON.stringify(own)} in the header ` +
    'of their assertions. Without kid, the oldest key is taken.'
  );
}
