import assert from 'node:assert/strict';
import type { MemberRole } from '../../server/src/domain/organisation.ts';
import type { PolicyRecord } from '../../server/src/domain/organisation-record.ts';
import { browser, PASSWORD, type Browser } from './operators.ts';
import type { TestServer } from './server.ts';

/** An organisation that an admin of the platform makes; returns its id. */
export async function newOrganisation(
  by: Browser,
  name: string,
  policy: Partial<PolicyRecord> = {},
): Promise<string> {
  const scopes = ['campaigns:read', 'campaigns:write'];
  const reply = await by.send('POST', '/organisations', { name, policy: { scopes, ...policy } });
  assert.equal(reply.status, 201, reply.text);
  return reply.body['id'] as string;
}

/** Invites a person by an operator. */
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
