// Test setup: also on PostgreSQL.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { createApiUserWithSecret } from '../../src/admin/api-user-with-secret.ts';
import { createApiUser, updateApiUser } from '../../src/admin/api-user.ts';
import { importApiUsers } from '../../src/admin/api-user-import.ts';
import { moveApiUsers } from '../../src/admin/api-user-move.ts';
import type { Change } from '../../src/admin/audited.ts';
import { createPassword, createSecret, updateCredential } from '../../src/admin/credential.ts';
import { createKey } from '../../src/admin/key.ts';
import { createOrganisation, updateOrganisation } from '../../src/admin/organisation.ts';
import { listViolations } from '../../src/admin/organisation-violations.ts';
import { cutOff, resetCredentials } from '../../src/admin/reset-credentials.ts';
import { createTrustRule } from '../../src/admin/trust-rule.ts';
import { AppError } from '../../src/domain/app-error.ts';
import { apiUserRecord } from '../../src/domain/api-user-record.ts';
import { UNSET_SETTINGS, type ApiUser, type ApiUserSettings } from '../../src/domain/api-user.ts';
import { UNUSED_CREDENTIAL, type Credential, type CredentialKind } from '../../src/domain/credential.ts';
import { DEFAULT_POLICY, type Organisation, type OrganisationPolicy } from '../../src/domain/organisation.ts';
import { newClientId } from '../../src/domain/api-user.ts';
import { generateSecret, secretDigest } from '../../src/domain/secret.ts';
import { temporaryStore, type TemporaryStore } from '@mintmark/test-support/temporary-store';

// What the policy of an organisation forbids is forbidden on every path to it.

const NOW = Date.parse('2030-01-01T00:00:00Z');
const DAY_MS = 86_400_000;
const ADMIN = {
  kind: 'operator',
  id: 'op_1',
  name: 'ada@example.com',
  address: null,
  role: 'admin',
} as const;

let opened: TemporaryStore;
let change: Change;

before(async () => {
  opened = await temporaryStore();
  change = { store: opened.store, actor: ADMIN, nowMs: NOW };
});
after(async () => await opened[Symbol.asyncDispose]());

const WIDE: OrganisationPolicy = {
  ...DEFAULT_POLICY,
  scopes: ['a', 'b', 'c'],
  credentialKinds: ['secret', 'password', 'key', 'trust'],
  trustIssuers: ['https://one.example', 'https://two.example'],
};

async function organisation(policy: OrganisationPolicy): Promise<Organisation> {
  return await createOrganisation(change, {
    name: 'Agency',
    contact: null,
    externalId: null,
    policy,
    claims: {},
  });
}

async function isRefused(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return false;
  } catch (error) {
    assert.ok(error instanceof AppError, String(error));
    assert.equal(error.code, 'invalid', error.message);
    assert.ok(error.faults.length > 0, error.message);
    return true;
  }
}

async function importLine(line: object): Promise<void> {
  async function* lines() {
    yield { n: 1, text: JSON.stringify(line) };
  }
  for await (const each of importApiUsers(change, lines(), () => NOW)) {
    if ('refused' in each) throw each.refused;
    assert.ok('created' in each);
  }
}

const OUTSIDE: ReadonlySet<string> = new Set(['192.0.2.7', '10.0.0.0/8']); // not within 10.1.0.0/16

/** The same rules, written down once more. */
function settingsAllowed(policy: OrganisationPolicy, settings: ApiUserSettings): boolean {
  const listed = (items: readonly string[], allowed: readonly string[]) =>
    new Set([...items, ...allowed]).size === new Set(allowed).size;
  if (!listed(settings.scopes, policy.scopes)) return false;
  if (!listed(settings.audiences, policy.audiences)) return false;
  if (policy.audiences.length > 0 && settings.audiences.length === 0) return false;
  if (policy.apiUserLimitMax !== null && (settings.limitPerMinute ?? Infinity) > policy.apiUserLimitMax)
    return false;
  return policy.allowedNetworks.length === 0 || !settings.allowedNetworks.some((each) => OUTSIDE.has(each));
}

const AUDIENCES = ['https://one.example/', 'https://two.example/'];
const someOf = (items: readonly string[]) => fc.subarray([...items]);

const anyPolicy = fc.record({
  scopes: someOf(['a', 'b', 'c']),
  audiences: someOf(AUDIENCES),
  apiUserLimitMax: fc.constantFrom(null, 50),
  allowedNetworks: fc.constantFrom([], ['10.1.0.0/16']),
});
const anySettings = fc.record({
  scopes: someOf(['a', 'b', 'c', 'mintmark:read']),
  audiences: someOf(AUDIENCES),
  limitPerMinute: fc.constantFrom(null, 10, 50, 51),
  allowedNetworks: someOf(['192.0.2.7', '10.0.0.0/8', '10.1.2.0/24', '10.1.2.3']),
});

test('settings that a policy forbids are refused on every path', async () => {
  await fc.assert(
    fc.asyncProperty(anyPolicy, anySettings, async (bounds, chosen) => {
      const policy = { ...WIDE, ...bounds };
      const settings = { ...UNSET_SETTINGS, name: 'Importer', ...chosen };
      const forbidden = !settingsAllowed(policy, settings);
      const { id: organisationId } = await organisation(policy);
      const input = { ...settings, organisationId };
      const secret = { name: 'first', expiresAt: null };
      const paths: Record<string, () => Promise<unknown>> = {
        create: () => createApiUser(change, input),
        createWithSecret: () => createApiUserWithSecret(change, input, secret),
        change: async () => {
          const { clientId } = await createApiUser(change, { ...fitting(policy), organisationId });
          await updateApiUser(change, clientId, { ...settings, name: 'Changed' });
        },
        import: async () => {
          const user = { ...fitting(policy), ...settings, organisationId };
          await importLine({ ...apiUserRecord(stored(user), null) });
        },
        move: async () => {
          const { clientId } = await createApiUser(change, settings);
          await moveApiUsers(change, {
            apiUsers: [clientId],
            organisationId,
            keepCredentials: false,
            force: false,
          });
        },
      };
      for (const [path, work] of Object.entries(paths))
        assert.equal(await isRefused(work), forbidden, `${path} of ${JSON.stringify({ bounds, chosen })}`);
      const { items } = await listViolations(
        opened.store,
        { id: organisationId, policy },
        { after: null, limit: 100 },
        NOW,
      );
      assert.deepEqual(items, []);
    }),
    { numRuns: 30 },
  );
});

/** Settings that every policy of this test allows. */
function fitting(policy: OrganisationPolicy): ApiUserSettings {
  return { ...UNSET_SETTINGS, name: 'Fits', audiences: policy.audiences, limitPerMinute: 1 };
}

function stored(input: ApiUserSettings & { organisationId: string }): ApiUser {
  return { ...input, clientId: newClientId(), enabled: true, createdAt: NOW, updatedAt: NOW, version: 1 };
}

test('an API user that violates a stricter policy is not enabled', async () => {
  const { id, version } = await organisation(WIDE);
  const settings = { ...UNSET_SETTINGS, name: 'Importer', scopes: ['a', 'b'], organisationId: id };
  const { clientId } = await createApiUser(change, settings);
  await updateApiUser(change, clientId, { enabled: false });
  await updateOrganisation(change, id, (all) => ({ ...all, policy: { ...WIDE, scopes: ['a'] } }), {
    ifVersion: [version],
  });
  assert.equal(await isRefused(() => updateApiUser(change, clientId, { enabled: true })), true);
  await updateApiUser(change, clientId, { scopes: ['a'], enabled: true });
});

const anyCredentialPolicy = fc.record({
  credentialKinds: fc.subarray<CredentialKind>(['secret', 'password', 'key', 'trust'], { minLength: 1 }),
  credentialDaysMax: fc.constantFrom(null, 30),
  trustIssuers: someOf(['https://one.example']),
});
const anyCredential = fc.record({
  kind: fc.constantFrom<CredentialKind>('secret', 'password', 'key', 'trust'),
  issuer: fc.constantFrom('https://one.example', 'https://two.example'),
  days: fc.constantFrom(10, 30, 31, 400),
});

const noCheck = async () => undefined;

function publicJwk(): string {
  return JSON.stringify(generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }));
}

function rule(issuer: string) {
  const { kty, crv, x } = JSON.parse(publicJwk()) as { kty: 'OKP'; crv: string; x: string };
  return {
    preset: null,
    issuer,
    subject: 'workload',
    audience: 'https://auth.example',
    otherAudiences: false,
    claims: {},
    lifeSecondsMax: 600,
    reuse: 'once',
    keys: { from: 'inline', jwks: { keys: [{ kty, crv, x }] } },
  } as const;
}

async function createCredential(owner: string, kind: CredentialKind, issuer: string, expiresAt: number) {
  const input = { owner, name: 'CI', expiresAt };
  if (kind === 'secret') return (await createSecret(change, input)).credential;
  if (kind === 'password') return await createPassword(change, input, 'correct horse battery staple');
  if (kind === 'trust')
    return await createTrustRule(change, input, { rule: rule(issuer), force: false }, noCheck);
  return (await createKey(change, input, { publicKey: publicJwk() }, noCheck)).credential;
}

test('credentials that a policy forbids are refused on every path', async () => {
  await fc.assert(
    fc.asyncProperty(anyCredentialPolicy, anyCredential, async (bounds, { kind, issuer, days }) => {
      const policy = { ...WIDE, ...bounds };
      const kindForbidden =
        !policy.credentialKinds.includes(kind) || (kind === 'trust' && !policy.trustIssuers.includes(issuer));
      const tooLong = policy.credentialDaysMax !== null && days > policy.credentialDaysMax;
      const { id: organisationId } = await organisation(policy);
      const owner = async (where: string | null = organisationId) =>
        (await createApiUser(change, { ...fitting(policy), organisationId: where })).clientId;
      const expiresAt = NOW + days * DAY_MS;
      const secretForbidden = !policy.credentialKinds.includes('secret');
      const paths: Record<string, [forbidden: boolean, work: () => Promise<unknown>]> = {
        create: [
          kindForbidden || tooLong,
          async () => await createCredential(await owner(), kind, issuer, expiresAt),
        ],
        extend: [
          kindForbidden || tooLong,
          async () => {
            const { id } = await createCredential(await owner(), kind, issuer, NOW + DAY_MS);
            await updateCredential(change, id, { expiresAt });
          },
        ],
        reset: [
          secretForbidden || tooLong,
          async () =>
            await resetCredentials(change, {
              owner: await owner(),
              name: 'new',
              expiresAt,
              overlapMs: 0,
              force: true,
            }),
        ],
        cutOff: [
          secretForbidden,
          async () => await cutOff(change, await owner(), { credentialId: null, newSecret: true }),
        ],
        import: [
          secretForbidden || tooLong,
          async () => {
            const user = stored({ ...fitting(policy), organisationId });
            await importLine(apiUserRecord(user, [secretOf(user, expiresAt)]));
          },
        ],
        move: [
          kindForbidden || tooLong,
          async () => {
            const clientId = await owner(null);
            await createCredential(clientId, kind, issuer, expiresAt);
            const kept = { organisationId, keepCredentials: true, force: false };
            await moveApiUsers(change, { apiUsers: [clientId], ...kept });
          },
        ],
      };
      for (const [path, [forbidden, work]] of Object.entries(paths))
        assert.equal(
          await isRefused(work),
          forbidden,
          `${path} of ${JSON.stringify({ bounds, kind, days })}`,
        );
      const { items } = await listViolations(
        opened.store,
        { id: organisationId, policy },
        { after: null, limit: 100 },
        NOW,
      );
      assert.deepEqual(items, []);
    }),
    { numRuns: 12 },
  );
});

function secretOf({ clientId }: ApiUser, expiresAt: number): Credential {
  const { keyId, secret } = generateSecret();
  const material = { id: keyId, kind: 'secret', digest: secretDigest(secret), facts: null } as const;
  return { ...material, ...UNUSED_CREDENTIAL, clientId, name: 'CI', createdAt: NOW, expiresAt };
}

test('an organisation gets no more API users than its policy allows', async () => {
  const { id: organisationId } = await organisation({ ...WIDE, apiUsersMax: 1 });
  const input = { ...UNSET_SETTINGS, name: 'Importer', organisationId };
  await createApiUser(change, input);
  const isFull = (error: unknown) => error instanceof AppError && error.message.includes('allows 1');
  await assert.rejects(createApiUser(change, input), isFull);
  await assert.rejects(importLine(apiUserRecord(stored(input), null)), isFull);
  const { clientId } = await createApiUser(change, { ...input, organisationId: null });
  const move = { apiUsers: [clientId], organisationId, keepCredentials: false, force: false };
  await assert.rejects(moveApiUsers(change, move), isFull);
});
