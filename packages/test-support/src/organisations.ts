import assert from 'node:assert/strict';
import { loadConfig } from '../../server/src/config/load-config.ts';
import {
  DEFAULT_POLICY,
  newOrganisationId,
  type MemberRole,
  type OrganisationPolicy,
} from '../../server/src/domain/organisation.ts';
import { openMigratedStore } from '../../server/src/store-files/open.ts';
import { browser, PASSWORD, type Browser } from './operators.ts';
import type { TestServer } from './server.ts';
import { withDatabase } from './store-under-test.ts';

/** Makes an organisation in the server's store, and returns its id. */
export async function newOrganisation(
  server: TestServer,
  name: string,
  policy: Partial<OrganisationPolicy> = {},
): Promise<string> {
  const config = loadConfig(await withDatabase({ MINTMARK_DATA_DIR: server.dataDir }));
  const store = await openMigratedStore(config);
  const id = newOrganisationId();
  const nowMs = Date.now();
  await store.write(async (transaction) => {
    await transaction.organisations.insert({
      id,
      name,
      contact: null,
      externalId: null,
      enabled: true,
      policy: { ...DEFAULT_POLICY, scopes: ['campaigns:read'], ...policy },
      claims: {},
      createdAt: nowMs,
      updatedAt: nowMs,
      version: 1,
    });
    await transaction.changed('organisation', id);
  });
  await store.close();
  return id;
}

/** Invites a person by an operator or an admin of the organisation; returns the token of the link. */
export async function invited(
  server: TestServer,
  by: Browser,
  organisation: string,
  { email, role }: { email: string; role: MemberRole },
): Promise<{ id: string; token: string }> {
  const reply = await by.send('POST', `/organisations/${organisation}/members`, { email, role });
  assert.equal(reply.status, 201, reply.text);
  const { id } = reply.body['member'] as { id: string };
  return { id, token: tokenIn(server, reply.body['invitation_url']) };
}

/** The token in the link of an invitation. */
export function tokenIn(server: TestServer, url: unknown): string {
  const [, token = ''] = /\/portal\/welcome#(mmi_[0-9A-Za-z]{43})$/.exec(String(url)) ?? [];
  assert.notEqual(token, '', String(url));
  server.noteSecret(token);
  return token;
}

/** A new person who joined the organisation, signed in. */
export async function newMember(
  server: TestServer,
  by: Browser,
  organisation: string,
  member: { email: string; role: MemberRole },
): Promise<Browser & { id: string }> {
  const { token } = await invited(server, by, organisation, member);
  server.noteSecret(PASSWORD);
  const signedIn = browser(server);
  const accepted = await signedIn.send('POST', '/invitations/accept', { token, password: PASSWORD });
  assert.equal(accepted.status, 200, accepted.text);
  const { id } = accepted.body['actor'] as { id: string };
  return { ...signedIn, id };
}
