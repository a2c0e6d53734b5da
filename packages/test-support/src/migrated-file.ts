import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { onPostgres } from './store-under-test.ts';

const template = process.env['MINTMARK_TEST_SQLITE'];

/** Puts the run's migrated store into a new data folder; false if there is none, and whoever opens the folder has to migrate. */
export function copyMigratedFile(dataDir: string): boolean {
  if (template === undefined || onPostgres) return false;
  copyFileSync(template, join(dataDir, 'mintmark.db'));
  return true;
}
