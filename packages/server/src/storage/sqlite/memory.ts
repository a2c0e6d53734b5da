import { randomUUID } from 'node:crypto';
import { backup, DatabaseSync } from 'node:sqlite';

/**
 * The URI of a new database in memory, which all connections of this process share
 * (https://sqlite.org/uri.html).
 */
export function memoryPath(): string {
  return `file:${randomUUID()}?mode=memory&cache=shared`;
}

export function isInMemory(path: string): boolean {
  return /^file:[^?]+\?mode=memory&cache=shared$/.test(path);
}

/** Copies one open database in memory over another. */
export async function copyMemory(from: string, to: string): Promise<void> {
  const source = new DatabaseSync(from);
  await backup(source, to);
  source.close();
}
