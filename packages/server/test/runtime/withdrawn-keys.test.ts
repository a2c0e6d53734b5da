// Test setup: own store, own limits.
// Rotations of the signing key, seen by a process whose clock is wrong.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { temporaryStore } from '@mintmark/test-support/temporary-store';
import { rotateSigningKey } from '../../src/admin/signing-key.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { SYSTEM } from '../../src/domain/actor.ts';
import { Redacted } from '../../src/lib/redacted.ts';
import { createKeyring } from '../../src/runtime/signing-keys.ts';
import { firstStart } from '../../src/server/first-start.ts';
import { readMasterKey } from '../../src/storage/master-key.ts';
import type { Store } from '../../src/storage/store.ts';

const BEHIND_MS = 20_000;

/** Makes the first signing key, a minute ago. The returned function rotates it now. */
async function withFirstKey(store: Store) {
  const masterKey = readMasterKey({ masterKey: new Redacted('5a'.repeat(32)), masterKeyFile: '' });
  assert.ok(masterKey !== null);
  const config = loadConfig({});
  const change = { store, actor: SYSTEM, nowMs: Date.now() };
  await firstStart(store, masterKey, { ...config, firstApiUser: false }, change.nowMs - 60_000);
  const rotate = (mode: 'compromised' | 'scheduled') =>
    rotateSigningKey(change, masterKey, { algorithm: config.signingAlgorithm, schedule: config, mode });
  return { masterKey, rotate };
}

test('a withdrawn key is gone at once, whatever the clock', async () => {
  await using temporary = await temporaryStore();
  const { store } = temporary;
  const { masterKey, rotate } = await withFirstKey(store);
  const [leaked] = await store.signingKeys.list();
  const successor = await rotate('compromised');

  const behind = () => Date.now() - BEHIND_MS;
  const keyring = createKeyring(store, masterKey, { error: () => undefined }, behind);
  await keyring.reload();
  const { keys } = JSON.parse(keyring.jwks(behind()).body) as { keys: { kid: string }[] };
  assert.deepEqual(
    keys.map(({ kid }) => kid),
    [successor.kid],
    'it publishes the successor alone',
  );
  assert.equal(keyring.verifyingKey(leaked?.kid ?? '', behind()), undefined);
  const [head = ''] = (keyring.statementSigner(behind())?.('{}') ?? '').split('.');
  const { kid } = JSON.parse(Buffer.from(head, 'base64url').toString()) as { kid: string };
  assert.equal(kid, successor.kid, 'the successor signs');
});

test('a key signs again when clocks that were ahead are set back', async () => {
  await using temporary = await temporaryStore();
  const { store } = temporary;
  const { masterKey, rotate } = await withFirstKey(store);
  const { activatesAt } = await rotate('scheduled');

  const keyring = createKeyring(store, masterKey, { error: () => undefined }, () => activatesAt + 1000);
  await keyring.reload();
  assert.ok(keyring.canSign(activatesAt), 'the successor signs while clocks are ahead');
  assert.ok(keyring.canSign(Date.now()), 'the first key signs by the right clocks');
});
