import type { Kysely } from 'kysely';
import type { AudienceSettings } from '../../domain/audience-settings.ts';
import type { Claims } from '../../domain/claims.ts';
import type { AudienceSettingsRow, Tables } from '../schema.ts';

export interface AudienceSettingsRows {
  find(audience: string): Promise<AudienceSettings | undefined>;
  /** All of them, in the order of their audiences: at most `AUDIENCE_SETTINGS_MAX`. */
  list(): Promise<AudienceSettings[]>;
  put(settings: AudienceSettings): Promise<void>;
  delete(audience: string): Promise<void>;
}

/** Every process holds them all in memory. */
export const AUDIENCE_SETTINGS_MAX = 1000;

export function audienceSettingsRows(db: Kysely<Tables>): AudienceSettingsRows {
  const all = db.selectFrom('audience_settings').selectAll();
  return {
    async find(audience) {
      const row = await all.where('audience', '=', audience).executeTakeFirst();
      return row && fromRow(row);
    },
    async list() {
      return (await all.orderBy('audience').limit(AUDIENCE_SETTINGS_MAX).execute()).map(fromRow);
    },
    async put(settings) {
      const row = toRow(settings);
      const query = db.insertInto('audience_settings').values(row);
      await query.onConflict((conflict) => conflict.column('audience').doUpdateSet(row)).execute();
    },
    async delete(audience) {
      await db.deleteFrom('audience_settings').where('audience', '=', audience).execute();
    },
  };
}

function toRow(settings: AudienceSettings): AudienceSettingsRow {
  return {
    audience: settings.audience,
    claims: JSON.stringify(settings.claims),
    token_life_seconds: settings.tokenLifeSeconds,
    updated_at: settings.updatedAt,
    version: settings.version,
  };
}

function fromRow(row: AudienceSettingsRow): AudienceSettings {
  return {
    audience: row.audience,
    claims: JSON.parse(row.claims) as Claims,
    tokenLifeSeconds: row.token_life_seconds,
    updatedAt: row.updated_at,
    version: row.version,
  };
}
