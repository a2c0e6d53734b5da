import type { Command } from 'commander';
import { openStore } from '../store-files/open.ts';
import { json, type Io } from './io.ts';
import { addSettings, configOf, storeCommand, STORE_SETTINGS } from './options.ts';

export function migrateCommand(program: Command, io: Io): void {
  const command = storeCommand(
    program,
    'migrate',
    'Bring the store up to this version of the program; serve does so too.',
  );
  addSettings(command, STORE_SETTINGS).addHelpText(
    'after',
    '\nExample:\n  mintmark migrate --data-dir ./data',
  );
  command.action(async (options: { json?: boolean }) => {
    const { store, migrated } = await openStore(configOf(command, io), { watch: false });
    await store.close();
    if (options.json === true) return io.out(json({ migrated }));
    io.out(migrated.length === 0 ? 'The store is up to date.' : `Migrated: ${migrated.join(', ')}.`);
  });
}
