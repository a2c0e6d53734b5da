import type { Connections, DatabaseFacts } from './connections.ts';
import type { Kysely } from 'kysely';
import { clockRows, storeNow, type ClockRows } from './tables/clock.ts';
import { apiUserRows, type ApiUserRows } from './tables/api-user.ts';
import { apiUserListRows, type ApiUserListRows } from './tables/api-user-list.ts';
import { auditRows, type AuditRows } from './tables/audit.ts';
import { audienceSettingsRows, type AudienceSettingsRows } from './tables/audience-settings.ts';
import { attentionRows, type AttentionRows } from './tables/attention.ts';
import { changeRows, type ChangeNoun, type ChangeRows, type TimedChangeRows } from './tables/change.ts';
import { credentialRows, type CredentialRows } from './tables/credential.ts';
import { deletedClientIdRows, type DeletedClientIdRows } from './tables/deleted-client-id.ts';
import { idempotencyRows, type IdempotencyRows } from './tables/idempotency.ts';
import { keySourceRows, type KeySourceRows } from './tables/key-source.ts';
import { knownApiUserRows, type KnownApiUserRows } from './tables/known-api-user.ts';
import { knownOrganisationRows, type KnownOrganisationRows } from './tables/known-organisation.ts';
import { invitationRows, type InvitationRows } from './tables/invitation.ts';
import { memberRows, type MemberRows } from './tables/member.ts';
import { memberInvitationRows, type MemberInvitationRows } from './tables/member-invitation.ts';
import { metaRows, type MetaRows } from './tables/meta.ts';
import { operatorRows, type OperatorRows } from './tables/operator.ts';
import { organisationRows, type OrganisationRows } from './tables/organisation.ts';
import type { RefusedRequest } from '../domain/refused-request.ts';
import {
  recordRefusedRequests,
  refusedRequestRows,
  type RefusedRequestRows,
} from './tables/refused-request.ts';
import { revocationRows, type RevocationRows } from './tables/revocation.ts';
import type { Tables } from './schema.ts';
import { secretLinkRows, type SecretLinkRows } from './tables/secret-link.ts';
import { sessionRows, type SessionRows } from './tables/session.ts';
import { signingKeyRows, type SigningKeyRows } from './tables/signing-key.ts';
import { recordUsage, usageRows, type UsageBatch, type UsageRows } from './tables/usage.ts';
import { usageHistory, type UsageHistory } from './tables/usage-history.ts';

export interface StoreRows {
  organisations: OrganisationRows;
  members: MemberRows;
  memberInvitations: MemberInvitationRows;
  audienceSettings: AudienceSettingsRows;
  apiUsers: ApiUserRows;
  deletedClientIds: DeletedClientIdRows;
  credentials: CredentialRows;
  signingKeys: SigningKeyRows;
  keySources: KeySourceRows;
  revocations: RevocationRows;
  operators: OperatorRows;
  sessions: SessionRows;
  invitations: InvitationRows;
  secretLinks: SecretLinkRows;
  refusedRequests: RefusedRequestRows;
  meta: MetaRows;
}

/** The tables inside one transaction. */
export interface StoreTransaction extends StoreRows {
  audit: Pick<AuditRows, 'append' | 'deleteBefore'>;
  idempotency: IdempotencyRows;
  usage: UsageRows;
  changes: Pick<ChangeRows, 'append' | 'appendAll' | 'deleteBefore'>;
  /** The time by the store's clock. */
  now: ClockRows['now'];
  ownNow: ClockRows['ownNow'];
  /**
   * When the transaction commits, every process reads this API user, the signing keys or this revocation
   * again, or writes the uses that it holds.
   */
  changed(noun: ChangeNoun, ...ids: string[]): Promise<void>;
}

/** Everything that Mintmark stores. Throws a StoreError if the database fails. */
export interface Store extends StoreRows {
  knownApiUsers: KnownApiUserRows;
  knownOrganisations: KnownOrganisationRows;
  apiUserList: ApiUserListRows;
  audit: Pick<AuditRows, 'head' | 'list' | 'after' | 'names'>;
  changes: TimedChangeRows;
  clock: ClockRows;
  /** Commits all of `work` or nothing. When it returns, the changes are on the disk. */
  write<T>(work: (transaction: StoreTransaction) => Promise<T>): Promise<T>;
  /** Adds tokens and refusals to the usage, and uses to the credentials: all of the batch or nothing. */
  recordUsage(batch: UsageBatch): Promise<void>;
  recordRefusedRequests(batch: readonly RefusedRequest[]): Promise<void>;
  usage: UsageRows;
  attention: AttentionRows;
  /** Sums up minutes to hours and hours to days, and removes usage past its retention. */
  usageHistory: UsageHistory;
  damage(): Promise<string | null>;
  facts(): Promise<DatabaseFacts>;
  standbyWaitMs: Connections['standbyWaitMs'];
  onWake(wake: () => void): void;
  close(): Promise<void>;
}

export function createStore(connections: Connections, now: () => number = Date.now): Store {
  const { read, follow, lookUp, readAll, insertRows } = connections;
  return {
    ...rowsOf(read, connections),
    signingKeys: signingKeyRows(follow),
    revocations: revocationRows(follow),
    knownApiUsers: knownApiUserRows(lookUp, readAll),
    knownOrganisations: knownOrganisationRows(follow),
    apiUserList: apiUserListRows(read),
    audit: auditRows(read, insertRows),
    changes: changeRows(follow, insertRows, connections.clock?.time),
    clock: clockRows(read, connections.clock, now),
    write: async (work) =>
      await connections.transaction(async (transaction, announce) => {
        const changes = changeRows(transaction, insertRows);
        return await work({
          ...rowsOf(transaction, connections),
          audit: auditRows(transaction, insertRows),
          idempotency: idempotencyRows(transaction),
          usage: usageRows({ read: transaction, texts: connections.texts }),
          changes,
          now: () => storeNow(transaction, connections.clock, now),
          ownNow: now,
          async changed(noun, ...ids) {
            await changes.appendAll(noun, ids, now());
            announce();
          },
        });
      }),
    recordUsage: (batch) => recordUsage(connections, batch),
    recordRefusedRequests: (batch) => recordRefusedRequests(connections, batch),
    usage: usageRows(connections),
    attention: attentionRows(connections),
    usageHistory: usageHistory(connections),
    damage: () => connections.damage(),
    facts: () => connections.facts(),
    standbyWaitMs: () => connections.standbyWaitMs(),
    onWake: (wake) => connections.onWake(wake),
    close: () => connections.close(),
  };
}

function rowsOf(db: Kysely<Tables>, connections: Connections): StoreRows {
  return {
    organisations: organisationRows(db),
    members: memberRows(db),
    memberInvitations: memberInvitationRows(db),
    audienceSettings: audienceSettingsRows(db),
    apiUsers: apiUserRows(db, connections),
    deletedClientIds: deletedClientIdRows(db),
    credentials: credentialRows(db, connections),
    signingKeys: signingKeyRows(db),
    keySources: keySourceRows(db),
    revocations: revocationRows(db),
    operators: operatorRows(db),
    sessions: sessionRows(db),
    invitations: invitationRows(db),
    secretLinks: secretLinkRows(db),
    refusedRequests: refusedRequestRows(db),
    meta: metaRows(db),
  };
}
