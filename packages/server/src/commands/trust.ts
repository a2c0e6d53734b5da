import type { Command } from 'commander';
import type { Io } from './io.ts';
import { presetsCommand } from './trust-presets.ts';

export function trustCommand(program: Command, io: Io): void {
  const parent = program
    .command('trust')
    .description('Trust the tokens that another issuer gives to the workload of an API user.');
  parent.addHelpText('after', '\nExample:\n  mintmark trust presets');
  presetsCommand(parent, io);
}
