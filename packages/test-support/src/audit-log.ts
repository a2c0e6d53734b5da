import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { SYSTEM, type Actor } from '../../server/src/domain/actor.ts';
import type { AuditRecord } from '../../server/src/domain/audit-entry.ts';
import type { Store } from '../../server/src/storage/store.ts';
import type { TemporaryStore } from './temporary-store.ts';

export const ADA: Actor = { kind: 'command_line', id: 'ada', name: 'ada', address: null };

/** Appends entries about one API user's credentials. */
export async function append(store: Store, count: number, changes: Partial<AuditRecord> = {}): Promise<void> {
  const records = Array.from({ length: count }, (_, i) => ({
    at: i,
    actor: i % 2 === 0 ? ADA : SYSTEM,
    action: 'credential.update' as const,
    outcome: 'done' as const,
    subject: { kind: 'credential' as const, id: `c${i}` },
    related: { kind: 'api_user' as const, id: 'api_1' },
    before: { name: 'a' },
    after: { name: 'b' },
    reason: null,
    ...changes,
  }));
  await store.write(({ audit }) => audit.append(records));
}

/** Changes the database behind the program's back, as an attacker would. */
export function tamper(opened: TemporaryStore, ...statements: [string, ...SQLInputValue[]][]): void {
  using database = new DatabaseSync(opened.path);
  for (const [sql, ...values] of statements) database.prepare(sql).run(...values);
}
