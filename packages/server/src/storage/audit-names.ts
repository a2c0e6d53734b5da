import type { Kysely } from 'kysely';
import type { AuditAction } from '../domain/audit-entry.ts';
import type { Tables } from './schema.ts';

/** Actions whose entries hold a name. Of deleted things, only the audit log still knows the name. */
const NAMING = [
  'api_user.create',
  'api_user.import',
  'api_user.delete',
  'credential.create',
  'credential.reset',
  'credential.update',
  'operator.invite',
  'operator.accept',
  'operator.remove',
  'member.invite',
  'member.accept',
  'member.remove',
] as const satisfies readonly AuditAction[];
/** Most entries that one lookup of deleted things reads. */
const NAMING_MAX = 2000;

/**
 * Returns the names of API users and credentials, and the addresses of operators and members, by id. For
 * deleted ones it returns the last name in the audit log. `organisation`: only names of this organisation,
 * for its members.
 */
export async function auditNames(
  db: Kysely<Tables>,
  ids: readonly string[],
  organisation: string | null,
): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map(); // PostgreSQL accepts no empty list
  const rows = await currentNames(db, ids, organisation);
  const names = new Map(rows.map(({ id, name }) => [id, name]));
  const missing = ids.filter((id) => !names.has(id));
  if (missing.length === 0) return names;
  const entries = await db
    .selectFrom('audit')
    .where('subject_id', 'in', missing)
    .where('action', 'in', NAMING)
    .where((row) => row.and(organisation === null ? [] : [row.eb('organisation_id', '=', organisation)]))
    .orderBy('at', 'desc')
    .orderBy('audit.n', 'desc')
    .limit(NAMING_MAX)
    .select(['subject_id as id', 'before', 'after'])
    .execute();
  for (const { id, before, after } of entries) {
    const name = nameIn(after) ?? nameIn(before);
    if (id !== null && name !== null && !names.has(id)) names.set(id, name);
  }
  return names;
}

async function currentNames(
  db: Kysely<Tables>,
  ids: readonly string[],
  organisation: string | null,
): Promise<{ id: string; name: string }[]> {
  const allUsers = db.selectFrom('api_users').select('client_id');
  const users = db.selectFrom('api_users').where('client_id', 'in', ids).select(['client_id as id', 'name']);
  const credentials = db.selectFrom('credentials').where('id', 'in', ids).select(['id', 'name']);
  const operators = db.selectFrom('operators').where('id', 'in', ids).select(['id', 'email as name']);
  if (organisation === null) return await users.unionAll(credentials).unionAll(operators).execute();
  const members = db.selectFrom('members').where('organisation_id', '=', organisation).select('operator_id');
  return await users
    .where('organisation_id', '=', organisation)
    .unionAll(credentials.where('client_id', 'in', allUsers.where('organisation_id', '=', organisation)))
    .unionAll(operators.where('id', 'in', members))
    .execute();
}

/** Also returns null for a text that is not JSON: this program did not write it. */
function nameIn(facts: string | null): string | null {
  if (facts === null) return null;
  try {
    const { name, email } = JSON.parse(facts) as Record<string, unknown>;
    const label = name ?? email;
    return typeof label === 'string' ? label : null;
  } catch {
    return null;
  }
}
