import type { Actor } from '../domain/actor.ts';
import { ADMIN_SCOPE, refuseBeyondRole } from '../domain/admin-scope.ts';
import type { ApiUser } from '../domain/api-user.ts';
import { AppError } from '../domain/app-error.ts';
import type { Credential } from '../domain/credential.ts';
import {
  isOpenable,
  secretLinkDigest,
  WRONG_PASSPHRASES_MAX,
  type LinkAuthor,
  type SecretLink,
} from '../domain/secret-link.ts';
import { passwordEvaluations } from '../runtime/password-evaluations.ts';
import type { Store, StoreTransaction } from '../storage/store.ts';
import { audited, recordRefusal, type Attempt, type Change, type Effect } from './audited.ts';
import { insertSecret, recordedAs, type CreatedSecret } from './credential.ts';
import type { TooMany } from './operators/sign-in-budgets.ts';
import { replaceCredentials } from './reset-credentials.ts';

/** What a link would make. */
export interface SecretLinkOffer {
  user: Pick<ApiUser, 'name'>;
  needsPassphrase: boolean;
  expiresAt: number;
}

/** What an opened link made. */
export interface OpenedSecretLink extends CreatedSecret {
  user: ApiUser;
  /** The credentials that a reset ends. */
  ending: Credential[];
}

export type SecretLinkDenial =
  | TooMany
  | { denied: 'passphrase_missing' }
  | { denied: 'wrong_passphrase'; left: number }
  | { denied: 'unavailable' };

/** For the holder of a link. Throws the same AppError for every link that cannot be opened. */
export interface SecretLinks {
  /** Changes nothing. */
  inspect(token: string, address: string): Promise<SecretLinkOffer | SecretLinkDenial>;
  open(
    input: { token: string; passphrase?: string },
    address: string,
  ): Promise<OpenedSecretLink | SecretLinkDenial>;
}

interface SecretLinkServices {
  store: Store;
  /** Charges the budget of an address; null: it has budget left. */
  payForAddress(address: string): Promise<TooMany | null>;
  now(): number;
}

/** How many passphrases are checked at a time (9 ms and 19 MiB each), and how many wait. */
const HASHES_AT_A_TIME = 1;
const HASHES_WAITING_MAX = 16;

export function createSecretLinks({ store, payForAddress, now }: SecretLinkServices): SecretLinks {
  const evaluations = passwordEvaluations(HASHES_AT_A_TIME, HASHES_WAITING_MAX);

  /** Counts the attempt before the check, so that 100 attempts at once count as 100. */
  async function passphraseDenial(
    { digest, passphraseHash }: SecretLink,
    passphrase: string,
  ): Promise<SecretLinkDenial | null> {
    if (passphraseHash === null) return null;
    if (passphrase === '') return { denied: 'passphrase_missing' };
    const counted = await store.write(({ secretLinks }) =>
      secretLinks.countPassphrase(digest, WRONG_PASSPHRASES_MAX),
    );
    if (!counted) throw noSuchLink();
    const evaluating = evaluations.evaluate(digest, passphrase, passphraseHash);
    const matches = evaluating === null ? null : await evaluating;
    if (matches === false) {
      const left = WRONG_PASSPHRASES_MAX - ((await store.secretLinks.find(digest))?.wrongPassphrases ?? 0);
      return { denied: 'wrong_passphrase', left };
    }
    await store.write(({ secretLinks }) => secretLinks.refundPassphrase(digest));
    return matches === null ? { denied: 'unavailable' } : null;
  }

  return {
    async inspect(token, address) {
      const limited = await payForAddress(address);
      if (limited !== null) return limited;
      const { link, user } = await openableLink(store, token, now());
      return { user, needsPassphrase: link.passphraseHash !== null, expiresAt: link.expiresAt };
    },
    async open({ token, passphrase = '' }, address) {
      const limited = await payForAddress(address);
      if (limited !== null) return limited;
      const { link, user } = await openableLink(store, token, now());
      const denial = await passphraseDenial(link, passphrase);
      const actor: Actor = { kind: 'api_user', id: user.clientId, name: user.name, address };
      const change = { store, actor, nowMs: now() };
      if (denial === null) return await openLink(change, link);
      if (denial.denied === 'wrong_passphrase') await recordWrongPassphrase(change, link, user);
      return denial;
    },
  };
}

async function recordWrongPassphrase(change: Change, link: SecretLink, user: ApiUser): Promise<void> {
  const attempt = { ...attemptOf(link), organisationId: user.organisationId };
  await recordRefusal(change, attempt, 'The passphrase is wrong.');
}

/**
 * Makes the secret, and consumes the link. The actor is the API user, because the holder of the link acts for
 * it. The rights are those that the author of the link has now.
 */
async function openLink(change: Change, link: SecretLink): Promise<OpenedSecretLink> {
  try {
    return await audited(change, attemptOf(link), async (transaction, identify) => {
      const user = await transaction.apiUsers.find(link.clientId);
      if (user === undefined) throw noSuchLink();
      identify({ organisationId: user.organisationId });
      await refuseFormerAuthor(transaction, link.createdBy, user);
      const { result, entry } = await makeSecret(transaction, link, change);
      // Last: a deletion of the API user locks it before its links, and so does this transaction.
      if (!(await transaction.secretLinks.consume(link.digest))) throw noSuchLink();
      const { organisationId } = user;
      return {
        result: { user, ...result },
        organisationId,
        after: { created_by: link.createdBy.name, credential: result.credential.id },
        also: [{ ...entry, related: { kind: 'api_user', id: user.clientId }, organisationId }],
      };
    });
  } catch (error) {
    // The audit log has the reason. It may name what only operators should know.
    if (!(error instanceof AppError) || error.code === 'not_found') throw error;
    throw new AppError(
      'conflict',
      'The secret was not made, and the link still works. Ask the person who sent it to look at the audit log.',
      { cause: error },
    );
  }
}

async function makeSecret(
  transaction: StoreTransaction,
  { clientId: owner, request }: SecretLink,
  change: Change,
): Promise<{ result: CreatedSecret & { ending: Credential[] }; entry: Attempt & Effect }> {
  const { reset, ...requested } = request;
  const input = { ...requested, owner };
  if (reset === null) {
    const created = await insertSecret(transaction, input, change);
    const attempt = { action: 'credential.create', subject: { kind: 'credential', id: null } } as const;
    return { result: { ...created, ending: [] }, entry: { ...attempt, ...recordedAs(created.credential) } };
  }
  const { result, ...effect } = await replaceCredentials(
    transaction,
    { ...input, ...reset, force: false },
    null,
    change,
  );
  const { credential, secret, ending } = result;
  if (secret === null) throw new Error('A reset without a password makes a secret.');
  const attempt = { action: 'credential.reset', subject: { kind: 'credential', id: null } } as const;
  return { result: { credential, secret, ending }, entry: { ...attempt, ...effect } };
}

/** Throws an AppError if the author of the link could not make this secret now. */
async function refuseFormerAuthor(
  { operators, apiUsers }: Pick<StoreTransaction, 'operators' | 'apiUsers'>,
  { kind, id, name }: LinkAuthor,
  user: ApiUser,
): Promise<void> {
  if (kind === 'operator') {
    const operator = await operators.find(id);
    if (operator?.role === 'operator' || operator?.role === 'admin') {
      return refuseBeyondRole({ kind, id, name, address: null, role: operator.role }, user.scopes);
    }
  } else if (kind === 'api_user') {
    const author = await apiUsers.find(id);
    if (author?.enabled === true && author.scopes.includes(ADMIN_SCOPE)) return;
  } else if (kind !== 'member') return;
  throw new AppError(
    'forbidden',
    `${name}, who made the link, may no longer make secrets: make another link.`,
  );
}

/** The link, if it can be opened, and its API user. */
async function openableLink(
  store: Store,
  token: string,
  nowMs: number,
): Promise<{ link: SecretLink; user: ApiUser }> {
  const digest = secretLinkDigest(token);
  const link = digest === null ? undefined : await store.secretLinks.find(digest);
  const user = link && (await store.apiUsers.find(link.clientId));
  if (link === undefined || user === undefined || !isOpenable(link, nowMs)) throw noSuchLink();
  return { link, user };
}

function attemptOf({ id, clientId }: SecretLink): Attempt {
  return {
    action: 'secret_link.open',
    subject: { kind: 'secret_link', id },
    related: { kind: 'api_user', id: clientId },
  };
}

/** The same for a link that never existed, was opened, expired, or had too many wrong passphrases. */
function noSuchLink(): AppError {
  return new AppError(
    'not_found',
    'This link opens nothing: it was opened before, or it expired. Ask the person who sent it for another.',
  );
}
