import { sql, type Kysely } from 'kysely';
import type { AccountRole } from '../../domain/actor.ts';
import { emailKey, type Operator } from '../../domain/operator.ts';
import { contains } from './contains.ts';
import type { OperatorRow, Tables } from '../schema.ts';

/** A page of operators in the order of their ids. */
export interface OperatorPage {
  /** The id of the last operator of the previous page; null: from the start. */
  after: string | null;
  limit: number;
  /** Only operators whose e-mail address contains this text, in any letter case. */
  search?: string;
}

export interface OperatorRows {
  find(id: string): Promise<Operator | undefined>;
  findByEmail(email: string): Promise<Operator | undefined>;
  /** Without the accounts that are only members of organisations. */
  list(page: OperatorPage): Promise<Operator[]>;
  /** Whether there is an operator. */
  any(): Promise<boolean>;
  /** Blocks other changes until this transaction is over, so that its counts stay true. */
  lock(): Promise<void>;
  /** The number of admins with a password, without this one. */
  otherActiveAdmins(id: string): Promise<number>;
  insert(operator: Operator): Promise<void>;
  update(operator: Operator): Promise<void>;
  seen(id: string, at: number): Promise<void>;
  /** Removes an operator with its sessions, invitation and recovery codes. */
  delete(id: string): Promise<void>;
  /** Marks the time step of a code as used; false if this step or a later one is already used. */
  useTotpStep(id: string, step: number): Promise<boolean>;
  setWrongCodes(id: string, wrongCodes: number, lockedUntil: number | null): Promise<void>;
  /** Replaces all recovery codes of the operator. */
  setRecoveryCodes(id: string, digests: readonly string[]): Promise<void>;
  /** Removes a recovery code; false if the operator does not have it. */
  useRecoveryCode(id: string, digest: string): Promise<boolean>;
}

export function operatorRows(db: Kysely<Tables>): OperatorRows {
  const all = db.selectFrom('operators').selectAll();
  return {
    async find(id) {
      const row = await all.where('id', '=', id).executeTakeFirst();
      return row && operatorOf(row);
    },
    async findByEmail(email) {
      const row = await all.where('email_key', '=', emailKey(email)).executeTakeFirst();
      return row && operatorOf(row);
    },
    async list({ after, limit, search }) {
      const operators = all.where('role', '!=', 'none');
      const matching =
        search === undefined ? operators : operators.where(contains('email_key', emailKey(search)));
      const from = after === null ? matching : matching.where('id', '>', after);
      return (await from.orderBy('id').limit(limit).execute()).map(operatorOf);
    },
    async any() {
      return (
        (await db.selectFrom('operators').select('id').where('role', '!=', 'none').limit(1).execute())
          .length > 0
      );
    },
    async lock() {
      // Every change locks this row. Otherwise two PostgreSQL transactions would miss each other's changes.
      await db
        .updateTable('epoch')
        .set({ n: sql<number>`n` })
        .execute();
    },
    async otherActiveAdmins(id) {
      const admins = db.selectFrom('operators').where('role', '=', 'admin').where('id', '!=', id);
      const { count } = await admins
        .where('password_hash', 'is not', null)
        .select((row) => row.fn.countAll().as('count'))
        .executeTakeFirstOrThrow();
      return Number(count);
    },
    async insert(operator) {
      await db.insertInto('operators').values(rowOf(operator)).execute();
    },
    async update(operator) {
      await db.updateTable('operators').set(rowOf(operator)).where('id', '=', operator.id).execute();
    },
    async seen(id, at) {
      await db.updateTable('operators').set({ last_seen_at: at }).where('id', '=', id).execute();
    },
    async delete(id) {
      for (const table of ['sessions', 'invitations', 'recovery_codes'] as const) {
        await db.deleteFrom(table).where('operator_id', '=', id).execute();
      }
      await db.deleteFrom('operators').where('id', '=', id).execute();
    },
    async useTotpStep(id, step) {
      // The statement has the condition: if two sign-ins send the same code at once, only one succeeds.
      const result = await db
        .updateTable('operators')
        .set({ last_totp_step: step })
        .where('id', '=', id)
        .where(({ or, eb }) => or([eb('last_totp_step', 'is', null), eb('last_totp_step', '<', step)]))
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },
    async setWrongCodes(id, wrongCodes, lockedUntil) {
      const set = { wrong_codes: wrongCodes, codes_locked_until: lockedUntil };
      await db.updateTable('operators').set(set).where('id', '=', id).execute();
    },
    async setRecoveryCodes(id, digests) {
      await db.deleteFrom('recovery_codes').where('operator_id', '=', id).execute();
      if (digests.length === 0) return;
      const rows = digests.map((digest) => ({ operator_id: id, digest }));
      await db.insertInto('recovery_codes').values(rows).execute();
    },
    async useRecoveryCode(id, digest) {
      const query = db
        .deleteFrom('recovery_codes')
        .where('operator_id', '=', id)
        .where('digest', '=', digest);
      return (await query.executeTakeFirst()).numDeletedRows > 0n;
    },
  };
}

function rowOf(operator: Operator): OperatorRow {
  return {
    id: operator.id,
    email: operator.email,
    email_key: emailKey(operator.email),
    role: operator.role,
    password_hash: operator.passwordHash,
    sealed_totp_secret: operator.sealedTotpSecret,
    sealed_pending_totp_secret: operator.sealedPendingTotpSecret,
    last_totp_step: operator.lastTotpStep,
    wrong_codes: operator.wrongCodes,
    codes_locked_until: operator.codesLockedUntil,
    created_at: operator.createdAt,
    updated_at: operator.updatedAt,
    last_seen_at: operator.lastSeenAt,
  };
}

export function operatorOf(row: OperatorRow): Operator {
  return {
    id: row.id,
    email: row.email,
    role: row.role as AccountRole,
    passwordHash: row.password_hash,
    sealedTotpSecret: row.sealed_totp_secret,
    sealedPendingTotpSecret: row.sealed_pending_totp_secret,
    lastTotpStep: row.last_totp_step,
    wrongCodes: row.wrong_codes,
    codesLockedUntil: row.codes_locked_until,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    lastSeenAt: row.last_seen_at,
  };
}
