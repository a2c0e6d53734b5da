// Test setup: own store, own limits.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const SOURCES = join(import.meta.dirname, '../../src');

/** Who may write to the store without an entry in the audit log, and why. */
const UNAUDITED: Record<string, string> = {
  'admin/audited.ts audited': 'it makes the entries',
  'admin/audited.ts recordRefusal': 'the same',
  'admin/in-use.ts gatherUses': 'asks every process to write the uses that it holds',
  'store-files/open.ts masterKeyOf': 'a fact about the store: the check of its master key',
  'admin/signing-key.ts recordSchedule': 'a fact about the store: the durations of a server',
  'admin/issuer.ts recordIssuer': 'a fact about the store: where its server answers',
  'admin/signing-key.ts proveSigningKeys': 'the proofs of keys that an earlier version made',
  'admin/revocation.ts recordTokenLife': 'a fact about the store: how long tokens live',
  'oauth/record-revocation.ts revokeOneToken': 'an API user gives up a token of its own (RFC 7009)',
  'admin/counted-attempts.ts createCountedAttempts': 'it makes an entry for many attempts together',
  'admin/open-secret-link.ts createSecretLinks': 'counts passphrases; a wrong one gets an entry',
  'admin/operators/sessions.ts createSessionFinder': 'when an operator was last seen, to the minute',
  'runtime/trusted-keys/check.ts createKeySourceCheck': 'public keys that others publish',
  'runtime/trusted-keys/stored-keys.ts createStoredKeys': 'the same',
  'runtime/trusted-keys/stored-keys.ts removeUnnamed': 'the same',
  'runtime/unreadable-addresses.ts createUnreadableAddresses': 'a fact about the proxies, for doctor',
  'server/maintenance.ts createMaintenance': 'removes what was kept for as long as the settings say',
};

test('every change of the store is audited, except those named here', () => {
  const files = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' });
  const found = new Set<string>();
  for (const file of files.filter((name) => name.endsWith('.ts') && !name.startsWith('storage'))) {
    let enclosing = '';
    for (const line of readFileSync(join(SOURCES, file), 'utf8').split('\n')) {
      enclosing = /^(?:export )?(?:async )?function (\w+)/.exec(line)?.[1] ?? enclosing;
      if (/\bstore(?:\?|!)?\.write\(|\bstore\b.*\['write'\]|\bwrite\b.*\} = .*\bstore\b/.test(line)) {
        found.add(`${file} ${enclosing}`);
      }
    }
  }
  assert.deepEqual(Array.from(found).toSorted(), Object.keys(UNAUDITED).toSorted());
});
