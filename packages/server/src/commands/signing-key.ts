import type { Command } from 'commander';
import { signingKeyState } from '../domain/signing-key.ts';
import { masterKeyOf } from '../store-files/open.ts';
import { listSigningKeys, rotateSigningKey } from '../admin/signing-key.ts';
import { signingKeyJson, type ListedSigningKey } from '../http/admin/signing-key.wire.ts';
import { commandLineChange } from './actor.ts';
import { json, table, time, type Io } from './io.ts';
import { addSettings, storeCommand, STORE_SETTINGS, withStore } from './options.ts';

export function signingKeyCommand(program: Command, io: Io): void {
  const parent = program
    .command('signing-key')
    .description('List and rotate the keys that sign access tokens.');
  parent.addHelpText('after', '\nExample:\n  mintmark signing-key rotate');
  list(parent, io);
  rotate(parent, io);
}

function list(parent: Command, io: Io): void {
  const command = storeCommand(parent, 'list', 'List signing keys with their schedule.');
  command.option('--all', 'Removed ones too.');
  addSettings(command, STORE_SETTINGS).addHelpText('after', '\nExample:\n  mintmark signing-key list');
  command.action(async (options: { all?: boolean; json?: boolean }) => {
    const nowMs = Date.now();
    const all = await withStore(command, io, async (store, config) => {
      const isEmpty = (await store.signingKeys.list()).length === 0;
      return isEmpty ? [] : listSigningKeys(store, await masterKeyOf(store, config), nowMs);
    });
    const keys = all.filter((key) => options.all === true || signingKeyState(key, nowMs) !== 'removed');
    if (options.json === true) return io.out(json(keys.map((key) => shown(key, nowMs))));
    const rows = keys.map((key) => [
      key.kid,
      key.algorithm,
      signingKeyState(key, nowMs),
      time(key.activatesAt),
      time(key.retiresAt),
      time(key.removesAt),
    ]);
    io.out(table(['KEY ID', 'ALG', 'STATE', 'SIGNS FROM', 'UNTIL', 'PUBLISHED UNTIL'], rows));
  });
}

interface RotateOptions {
  now?: boolean;
  compromised?: boolean;
  json?: boolean;
}

function rotate(parent: Command, io: Io): void {
  const command = storeCommand(
    parent,
    'rotate',
    'Announce a new signing key, which takes over when verifiers know it.',
  );
  command
    .option('--now', 'The new key signs at once: verifiers fetch the key set when they see its key id.')
    .option(
      '--compromised',
      'The new key signs at once, and all others are withdrawn: verifiers refuse their tokens.',
    );
  addSettings(command, [
    ...STORE_SETTINGS,
    'signingAlgorithm',
    'keyAnnounceSeconds',
    'jwksMaxAgeSeconds',
    'tokenLifeSeconds',
    'clockSkewSeconds',
    'staleMaxSeconds',
  ]).addHelpText(
    'after',
    '\nFor each duration, the longer one counts: the one given here, or that of the server that last started on this store.' +
      '\n\nExample:\n  mintmark signing-key rotate --signing-algorithm EdDSA',
  );
  command.action(async (options: RotateOptions) => {
    const nowMs = Date.now();
    const mode = options.compromised === true ? 'compromised' : options.now === true ? 'now' : 'scheduled';
    const key = await withStore(command, io, async (store, config) => {
      const masterKey = await masterKeyOf(store, config);
      const rotation = { algorithm: config.signingAlgorithm, schedule: config, mode } as const;
      return await rotateSigningKey(commandLineChange(store, nowMs), masterKey, rotation);
    });
    if (options.json === true) return io.out(json(shown({ ...key, proven: true }, nowMs)));
    io.out(`${key.kid}  signs from ${time(key.activatesAt)} on`);
  });
}

/** The JSON of the admin API, plus the public key. */
function shown(key: ListedSigningKey, nowMs: number): Record<string, unknown> {
  return { ...signingKeyJson(key, nowMs), public_jwk: key.publicJwk };
}
