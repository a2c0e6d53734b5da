// Test setup: own store, own limits.
// A credential is retired, and a process whose clock is behind learns of it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_ORGANISATIONS } from '@mintmark/test-support/no-organisations';
import { temporaryStore } from '@mintmark/test-support/temporary-store';
import { createApiUser } from '../../src/admin/api-user.ts';
import { createSecret, retireCredential } from '../../src/admin/credential.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { SYSTEM } from '../../src/domain/actor.ts';
import { UNSET_SETTINGS } from '../../src/domain/api-user.ts';
import { checkSecret } from '../../src/domain/check-secret.ts';
import { credentialState } from '../../src/domain/credential.ts';
import { isDenial } from '../../src/domain/denial.ts';
import { createDirectory } from '../../src/runtime/directory/directory.ts';

const BEHIND_MS = 20_000;

test('a retired credential is refused at once, whatever the clock', async () => {
  await using temporary = await temporaryStore();
  const { store } = temporary;
  const change = { store, actor: SYSTEM, nowMs: Date.now() };
  const { clientId } = await createApiUser(change, { ...UNSET_SETTINGS, name: 'importer' });
  const { credential, secret } = await createSecret(change, {
    owner: clientId,
    name: 'one',
    expiresAt: null,
  });
  const retired = await retireCredential(change, credential.id, { force: true });

  const directory = createDirectory(store.knownApiUsers, loadConfig({}), () => 0, NO_ORGANISATIONS);
  const behindMs = change.nowMs - BEHIND_MS;
  const apiUser = await directory.find(clientId, behindMs);
  assert.ok(apiUser !== undefined && !isDenial(apiUser));
  assert.deepEqual(checkSecret(apiUser, secret, behindMs), { failure: 'retired_secret' });
  assert.equal(credentialState(retired, behindMs), 'retired', 'passwords, keys and trust rules, too');
});
