import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { eventually } from '@mintmark/test-support/eventually';
import type { Operation } from '@mintmark/test-support/described';
import { exchange, type Reply } from '@mintmark/test-support/http';
import { browser, makeOperator, type Browser } from '@mintmark/test-support/operators';
import { invited, newMember, newOrganisation } from '@mintmark/test-support/organisations';
import type { TestServer } from '@mintmark/test-support/server';

// Two organisations and a platform with everything that they can have. All names of what is not of the first
// one contain `zebra`.

export type ObjectKind = 'api_user' | 'credential' | 'member';

export interface World {
  operator: Browser;
  /** The first organisation, with an API user and its credential. */
  own: { id: string; admin: Browser; member: Browser; apiUser: string; credential: string; memberId: string };
  other: { id: string; admin: Browser; clientIds: string[] };
  /** An organisation that is disabled. */
  disabled: string;
  /** The ids of things of the other organisation and of the platform. */
  foreign: Record<ObjectKind, string[]>;
  /** The trace id of a refused request of the other organisation. */
  trace: string;
  /** Texts that nobody in the first organisation may read. */
  marks: string[];
}

const POLICY = {
  credential_kinds: ['secret', 'key', 'trust'],
  trust_issuers: ['https://issuer.example.com'],
};
const WRITTEN_WITHIN_MS = 30_000;
/** The address of the operator, which members must not learn. */
const OPERATOR_FROM = '127.0.0.2';

export async function newWorld(server: TestServer): Promise<World> {
  const made = await makeOperator(server, 'zebra-ada@platform.example', 'admin');
  const operator = browser(server, OPERATOR_FROM);
  await operator.signIn('zebra-ada@platform.example');
  const own = await newOwn(server, operator);
  const other = await newOther(server, operator);
  const disabled = await newOrganisation(operator, 'zebra disabled', POLICY as object);
  await ok(operator.send('POST', `/organisations/${disabled}/disable`, {}));
  const platform = await ok(
    operator.send('POST', '/api-users', {
      name: 'zebra platform',
      username: 'zebra-platform',
      external_id: 'zebra-external',
      scopes: ['mintmark:admin'],
    }),
  );
  const ofPlatform = noted(server, platform);
  await operatorActs(operator, own, ofPlatform.clientId);
  const foreign = {
    api_user: [...other.clientIds, 'zebra-other', ofPlatform.clientId, 'zebra-platform'],
    credential: [...other.credentials, ofPlatform.credential],
    member: [...other.members, made.id],
  };
  const trace = await refusedRequest(server, other);
  const marks = ['zebra', trace, OPERATOR_FROM, other.id, disabled, ...Object.values(foreign).flat()];
  return { operator, own, other, disabled, foreign, trace, marks };
}

async function newOwn(server: TestServer, operator: Browser): Promise<World['own']> {
  const id = await newOrganisation(operator, 'First', POLICY as object);
  const admin = await newMember(server, operator, id, { email: 'admin@first.example', role: 'admin' });
  const member = await newMember(server, operator, id, { email: 'member@first.example', role: 'member' });
  const made = await ok(member.portal('POST', `/organisations/${id}/api-users`, { name: 'Own' }));
  const { clientId, credential } = noted(server, made);
  return { id, admin, member, apiUser: clientId, credential, memberId: member.id };
}

async function newOther(server: TestServer, operator: Browser) {
  const id = await newOrganisation(operator, 'zebra other', POLICY as object);
  const admin = await newMember(server, operator, id, { email: 'zebra-admin@b.example', role: 'admin' });
  const { id: invitation } = await invited(server, operator, id, {
    email: 'zebra-invited@b.example',
    role: 'member',
  });
  const at = `/organisations/${id}`;
  const first = noted(server, await ok(admin.portal('POST', `${at}/api-users`, { name: 'zebra one' })));
  const second = noted(server, await ok(admin.portal('POST', `${at}/api-users`, { name: 'zebra two' })));
  const any = { 'If-Match': '*', 'Sec-Fetch-Site': 'same-origin' };
  await ok(operator.send('PATCH', `/api-users/${first.clientId}`, { username: 'zebra-other' }, any));
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  const key = await ok(
    admin.portal('POST', `${at}/api-users/${first.clientId}/credentials`, {
      name: 'zebra key',
      public_key: pem,
    }),
  );
  const { id: keyId } = key['credential'] as { id: string };
  return {
    id,
    admin,
    clientIds: [first.clientId, second.clientId],
    credentials: [first.credential, second.credential, keyId],
    members: [admin.id, invitation],
  };
}

/** A request of the other organisation with a wrong secret, which its admin sees. */
async function refusedRequest(server: TestServer, { id, admin, clientIds }: World['other']): Promise<string> {
  const trace = randomBytes(16).toString('hex');
  const [clientId = ''] = clientIds;
  const headers = { traceparent: `00-${trace}-${randomBytes(8).toString('hex')}-01` };
  await server.post({ client_id: clientId, client_secret: 'zebra' }, headers);
  await eventually(async () => {
    const path = `/organisations/${id}/refused-requests`;
    return JSON.stringify(await ok(admin.portal('GET', path, undefined, {}))).includes(trace);
  }, WRITTEN_WITHIN_MS);
  return trace;
}

/** What operators do to the first organisation, so that its audit log has something to hide. */
async function operatorActs(operator: Browser, own: World['own'], foreignClientId: string): Promise<void> {
  const any = { 'If-Match': '*', 'Sec-Fetch-Site': 'same-origin' };
  const path = `/api-users/${own.apiUser}`;
  await ok(operator.send('PATCH', path, { contact: 'team@first.example' }, any));
  for (const username of ['zebra-other', 'zebra-platform', foreignClientId]) {
    const refused = await operator.send('PATCH', path, { username }, any);
    assert.ok(refused.status >= 400, refused.text);
  }
  await ok(operator.portal('GET', `/organisations/${own.id}`, undefined, {}));
}

export async function ok(reply: Promise<Reply>): Promise<Record<string, unknown>> {
  const { status, body, text } = await reply;
  assert.ok(status < 300, `${status} ${text}`);
  return body;
}

function noted(server: TestServer, body: Record<string, unknown>): { clientId: string; credential: string } {
  server.noteSecret(body['client_secret'] as string);
  const { client_id: clientId } = body['api_user'] as { client_id: string };
  return { clientId, credential: (body['credential'] as { id: string }).id };
}

export interface Route extends Pick<Operation, 'operationId'> {
  method: string;
  path: string;
}

/** Every operation of the OpenAPI document at this path. */
export async function routesOf(server: TestServer, api: string): Promise<Route[]> {
  const { body } = await exchange(server.port, { method: 'GET', path: `${api}/openapi.json` });
  const paths = body['paths'] as Record<string, Record<string, Operation>>;
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { operationId }]) => ({
      operationId,
      method: method.toUpperCase(),
      path,
    })),
  );
}

/** What a caller can observe of a reply, without the ids of the request and of the reply itself. */
export function observed({ status, headers, text }: Reply, ...ids: readonly string[]): object {
  const { date: _date, 'x-request-id': traceId = '', 'content-length': _length, ...others } = headers;
  let body = text.replaceAll(String(traceId), 'TRACE');
  for (const id of ids) body = body.replaceAll(id, 'ID');
  return { status, headers: others, body };
}
