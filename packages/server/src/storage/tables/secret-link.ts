import type { Kysely } from 'kysely';
import type { LinkAuthor, SecretLink, SecretRequest } from '../../domain/secret-link.ts';
import type { SecretLinkRow, Tables } from '../schema.ts';

export interface SecretLinkRows {
  /** Finds a link that opens nothing any more, too. */
  find(digest: string): Promise<SecretLink | undefined>;
  /** The links of an API user, the oldest first. */
  listOf(clientId: string): Promise<SecretLink[]>;
  insert(link: SecretLink): Promise<void>;
  /** Removes a link; false if it does not exist: another request opened it first. */
  consume(digest: string): Promise<boolean>;
  /** Removes the link with this id, if the API user has one; false: it has none. */
  delete(clientId: string, id: string): Promise<boolean>;
  /** Removes all links of an API user; returns how many. */
  deleteOf(clientId: string): Promise<number>;
  /** Counts an attempt with a passphrase; false if there were `max` already, or the link does not exist. */
  countPassphrase(digest: string, max: number): Promise<boolean>;
  /** Takes one counted attempt back: its passphrase was right. */
  refundPassphrase(digest: string): Promise<void>;
  /** Removes up to `limit` expired links; returns how many. */
  deleteOver(nowMs: number, limit: number): Promise<number>;
}

export function secretLinkRows(db: Kysely<Tables>): SecretLinkRows {
  return {
    async find(digest) {
      const query = db.selectFrom('secret_links').selectAll().where('digest', '=', digest);
      const row = await query.executeTakeFirst();
      return row && fromRow(row);
    },
    async listOf(clientId) {
      const query = db.selectFrom('secret_links').selectAll().where('client_id', '=', clientId);
      return (await query.orderBy('created_at').orderBy('id').execute()).map(fromRow);
    },
    async insert(link) {
      await db.insertInto('secret_links').values(toRow(link)).execute();
    },
    async consume(digest) {
      const result = await db.deleteFrom('secret_links').where('digest', '=', digest).executeTakeFirst();
      return result.numDeletedRows > 0n;
    },
    async delete(clientId, id) {
      const one = db.deleteFrom('secret_links').where('client_id', '=', clientId).where('id', '=', id);
      return (await one.executeTakeFirst()).numDeletedRows > 0n;
    },
    async deleteOf(clientId) {
      const all = db.deleteFrom('secret_links').where('client_id', '=', clientId);
      return Number((await all.executeTakeFirst()).numDeletedRows);
    },
    async countPassphrase(digest, max) {
      const result = await db
        .updateTable('secret_links')
        .set((row) => ({ wrong_passphrases: row('wrong_passphrases', '+', 1) }))
        .where('digest', '=', digest)
        .where('wrong_passphrases', '<', max)
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },
    async refundPassphrase(digest) {
      await db
        .updateTable('secret_links')
        .set((row) => ({ wrong_passphrases: row('wrong_passphrases', '-', 1) }))
        .where('digest', '=', digest)
        .execute();
    },
    async deleteOver(nowMs, limit) {
      const over = db
        .selectFrom('secret_links')
        .select('digest')
        .where('expires_at', '<=', nowMs)
        .limit(limit);
      const result = await db.deleteFrom('secret_links').where('digest', 'in', over).executeTakeFirst();
      return Number(result.numDeletedRows);
    },
  };
}

function fromRow(row: SecretLinkRow): SecretLink {
  return {
    digest: row.digest,
    id: row.id,
    clientId: row.client_id,
    request: JSON.parse(row.request) as SecretRequest,
    passphraseHash: row.passphrase_hash,
    wrongPassphrases: row.wrong_passphrases,
    createdBy: JSON.parse(row.created_by) as LinkAuthor,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
  };
}

function toRow(link: SecretLink): SecretLinkRow {
  return {
    digest: link.digest,
    id: link.id,
    client_id: link.clientId,
    request: JSON.stringify(link.request),
    passphrase_hash: link.passphraseHash,
    wrong_passphrases: link.wrongPassphrases,
    created_by: JSON.stringify(link.createdBy),
    created_at: link.createdAt,
    expires_at: link.expiresAt,
  };
}
