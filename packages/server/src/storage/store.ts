import type { Kysely, RawBuilder } from 'kysely';
import { clockRows, storeNow, type ClockRows, type DatabaseClock } from './clock.ts';
import { apiUserRows, type ApiUserRows } from './api-user.ts';
import { apiUserListRows, type ApiUserListRows } from './api-user-list.ts';
import { auditRows, type AuditRows } from './audit.ts';
import { attentionRows, type AttentionRows } from './attention.ts';
import { changeRows, type ChangeNoun, type ChangeRows, type TimedChangeRows } from './change.ts';
import { credentialRows, type CredentialRows } from './credential.ts';
import { deletedClientIdRows, type DeletedClientIdRows } from './deleted-client-id.ts';
import { idempotencyRows, type IdempotencyRows } from './idempotency.ts';
import { knownApiUserRows, type KnownApiUserRows } from './known-api-user.ts';
import { invitationRows, type InvitationRows } from './invitation.ts';
import { metaRows, type MetaRows } from './meta.ts';
import { operatorRows, type OperatorRows } from './operator.ts';
import { revocationRows, type RevocationRows } from './revocation.ts';
import type { Tables } from './schema.ts';
import { sessionRows, type SessionRows } from './session.ts';
import { signingKeyRows, type SigningKeyRows } from './signing-key.ts';
import { recordUsage, usageRows, type UsageBatch, type UsageRows } from './usage.ts';
import { usageHistory, type UsageHistory } from './usage-history.ts';

/** What a database brings: the only part of the store that is written once for each. */
export interface Connections {
  read: Kysely<Tables>;
  /** For the reads that keep a process in step: small ones, that nothing else may hold up. */
  follow: Kysely<Tables>;
  /** For API users that are read into memory: as small, but as many at a time as callers come. */
  lookUp: Kysely<Tables>;
  /** For single statements; what belongs together goes through `transaction`. */
  write: Kysely<Tables>;
  /**
   * All of `work` or nothing, and one at a time, of all processes: what was read in it holds until it is over. May do
   * `work` again where a deadlock ended it. `announce`: every process that follows the store is to be woken when it is committed.
   */
  transaction<T>(work: (db: Kysely<Tables>, announce: () => void) => Promise<T>): Promise<T>;
  /** Work that may take as long as it takes, such as a migration; or each of its statements `withinMs` milliseconds. */
  unhurried<T>(work: (db: Kysely<Tables>) => Promise<T>, withinMs?: number): Promise<T>;
  /**
   * The texts of a JSON array as what a query reads from, with the one column `value`: one parameter for any number of
   * rows. Records are texts with fields of fixed width, which `substr` takes apart at a third of the cost of JSON.
   */
  texts(json: string): RawBuilder<unknown>;
  /** Everything that is read in it is of one moment, however long it takes and whatever others write meanwhile. */
  snapshot<T>(work: (db: Kysely<Tables>) => Promise<T>): Promise<T>;
  /** Null: the database is on this machine, and has its clock. */
  clock: DatabaseClock | null;
  /** The names of all tables that are there, others' too. */
  tables(): Promise<string[]>;
  /** What a check of the whole database found wrong; null where it is sound. */
  damage(): Promise<string | null>;
  facts(): Promise<DatabaseFacts>;
  /** For how long the oldest commit has been waiting for a synchronous standby, in milliseconds; 0: none waits. */
  standbyWaitMs(): Promise<number>;
  /** `wake` is called soon after another process has committed something, as a hint: the poll is the truth. */
  onWake(wake: () => void): void;
  close(): Promise<void>;
}

export interface DatabaseFacts {
  /** Program and version: `PostgreSQL 15.18, TLS`. */
  about: string;
  /** What may cost somebody what was written, or a secret; and what to do about it. */
  risks: { detail: string; mend: string }[];
}

export interface StoreRows {
  apiUsers: ApiUserRows;
  deletedClientIds: DeletedClientIdRows;
  credentials: CredentialRows;
  signingKeys: SigningKeyRows;
  revocations: RevocationRows;
  operators: OperatorRows;
  sessions: SessionRows;
  invitations: InvitationRows;
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
  /**
   * Tells every process, when the transaction commits, to read this API user, the signing keys or this revocation again, or to
   * write the uses that it holds.
   */
  changed(noun: ChangeNoun, ...ids: string[]): Promise<void>;
}

/** Everything that is kept. Throws a StoreError where the database cannot do what is asked. */
export interface Store extends StoreRows {
  known: KnownApiUserRows;
  apiUserList: ApiUserListRows;
  audit: Pick<AuditRows, 'head' | 'list' | 'after' | 'names'>;
  changes: TimedChangeRows;
  clock: ClockRows;
  /** All of `work` or nothing; when it returns, it is on the disk. */
  write<T>(work: (transaction: StoreTransaction) => Promise<T>): Promise<T>;
  /** Adds what was used and refused. All of it or nothing. */
  recordUsage(batch: UsageBatch): Promise<void>;
  usage: UsageRows;
  attention: AttentionRows;
  /** Makes hours of minutes and days of hours, and removes what is kept no longer. */
  usageHistory: UsageHistory;
  damage(): Promise<string | null>;
  facts(): Promise<DatabaseFacts>;
  standbyWaitMs: Connections['standbyWaitMs'];
  onWake(wake: () => void): void;
  close(): Promise<void>;
}

export function createStore(connections: Connections, now: () => number = Date.now): Store {
  const { read, follow, lookUp } = connections;
  return {
    ...rowsOf(read),
    signingKeys: signingKeyRows(follow),
    revocations: revocationRows(follow),
    known: knownApiUserRows(lookUp),
    apiUserList: apiUserListRows(read),
    audit: auditRows(read),
    changes: changeRows(follow, connections.clock?.time),
    clock: clockRows(read, connections.clock),
    write: async (work) =>
      await connections.transaction(async (transaction, announce) => {
        const changes = changeRows(transaction);
        return await work({
          ...rowsOf(transaction),
          audit: auditRows(transaction),
          idempotency: idempotencyRows(transaction),
          usage: usageRows({ read: transaction, texts: connections.texts }),
          changes,
          now: () => storeNow(transaction, connections.clock),
          async changed(noun, ...ids) {
            await changes.appendAll(noun, ids, now());
            announce();
          },
        });
      }),
    recordUsage: (batch) => recordUsage(connections, batch),
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

function rowsOf(db: Kysely<Tables>): StoreRows {
  return {
    apiUsers: apiUserRows(db),
    deletedClientIds: deletedClientIdRows(db),
    credentials: credentialRows(db),
    signingKeys: signingKeyRows(db),
    revocations: revocationRows(db),
    operators: operatorRows(db),
    sessions: sessionRows(db),
    invitations: invitationRows(db),
    meta: metaRows(db),
  };
}
