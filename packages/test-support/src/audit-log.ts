import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { SYSTEM, type Actor } from '../../server/src/domain/actor.ts';
import type { AuditRecord } from '../../server/src/domain/audit-entry.ts';
import type { Store } from '../../server/src/storage/store.ts';
import type { TemporaryStore } from './temporary-store.ts';

export const ADA: Actor = { kind: 'command_line', id: 'ada', name: 'ada', address: null };

/** Entries of one API user, each about a credential. */
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

/** The database past the program, as somebody has it who wants to hide something. */
export function tamper(opened: TemporaryStore, ...statements: [string, ...SQLInputValue[]][]): void {
  using database = new DatabaseSync(opened.path);
  for (const [sql, ...values] of statements) database.prepare(sql).run(...values);
}
