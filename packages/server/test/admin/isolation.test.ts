// Test setup: also on PostgreSQL.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADMIN, assertProblem, PORTAL } from '@mintmark/test-support/admin';
import { eventually } from '@mintmark/test-support/eventually';
import { exchange, type Reply } from '@mintmark/test-support/http';
import type { Browser } from '@mintmark/test-support/operators';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore } from '@mintmark/test-support/store';
import {
  newWorld,
  observed,
  ok,
  routesOf,
  type ObjectKind,
  type Route,
  type World,
} from './isolation-setup.ts';

// Nobody in an organisation learns or changes anything outside it: every route of the portal and of the admin
// API, as their OpenAPI documents list them. A route without a decision here fails the first test.

interface Decision {
  /** The kind of thing that the path names below the organisation. */
  object?: ObjectKind;
  /** A valid body. */
  body?: object;
  headers?: Record<string, string>;
  /** Parameters of a list that try to reach what is foreign; `ID` stands for each foreign id. */
  queries?: readonly string[];
  /** The route is not below an organisation. */
  outside?: true;
}

const ANY = { 'If-Match': '*' };
const LIST = ['?search=zebra', '?search=ID', '?limit=1'];

const PORTAL_DECISIONS: Readonly<Record<string, Decision>> = {
  getPortalDescription: { outside: true },
  listOwnOrganisations: { outside: true },
  readOrganisation: {},
  listMembers: {},
  inviteMember: { body: { email: 'new@first.example', role: 'member' } },
  renewMemberInvitation: { object: 'member' },
  changeMember: { object: 'member', body: { role: 'admin' } },
  removeMember: { object: 'member' },
  listMemberCredentials: { object: 'member' },
  resetMemberCredentials: { object: 'member', body: { overlap_seconds: 60 } },
  listApiUsers: { queries: [...LIST, '?organisation_id=ID', '?organisation_id=none', '?sort=name'] },
  createApiUser: { body: { name: 'Tried', secret: false } },
  readApiUser: { object: 'api_user' },
  changeApiUser: { object: 'api_user', body: { name: 'Taken' }, headers: ANY },
  disableApiUser: { object: 'api_user', body: {} },
  enableApiUser: { object: 'api_user' },
  deleteApiUser: { object: 'api_user' },
  revokeTokens: { object: 'api_user' },
  listCredentials: { object: 'api_user' },
  createSecret: { object: 'api_user', body: { name: 'taken' } },
  resetCredentials: { object: 'api_user', body: { name: 'taken', overlap_seconds: 0 } },
  cutOff: { object: 'api_user', body: { new_secret: true } },
  changeCredential: { object: 'credential', body: { name: 'Taken' } },
  retireCredential: { object: 'credential', body: {} },
  listKeySources: { object: 'api_user' },
  checkToken: { object: 'api_user', body: { token: 'e30.e30.e30' } },
  readApiUserUsage: { object: 'api_user' },
  readUsage: { queries: ['?unit=day'] },
  readRecentUsage: { queries: ['?ids=ID'] },
  listAudit: {
    queries: [
      ...LIST,
      '?subject=ID',
      '?actor=ID',
      '?actor=platform',
      '?organisation=ID',
      '?search=127.0.0.2',
    ],
  },
  exportAudit: { queries: ['', '?subject=ID', '?actor=ID', '?search=zebra', '?organisation=ID'] },
  readHistory: { object: 'api_user' },
  listRefusedRequests: { queries: ['', '?client_id=ID', '?trace_id=TRACE'] },
  listRefusedRequestsOfApiUser: { object: 'api_user', queries: ['', '?trace_id=TRACE'] },
};

/** Routes of the admin API about the caller alone, and those for the holder of a link. */
const OWN = [
  'getAdminDescription signIn readSession signOut inspectInvitation acceptInvitation changePassword',
  'beginSecondFactor confirmSecondFactor removeSecondFactor listOwnSessions endOwnSession',
  'inspectSecretLink openSecretLink',
].join(' ');
/** All others: for operators. */
const OPERATORS_ONLY = [
  'listOperators inviteOperator resetOperator changeOperator removeOperator',
  'listApiUsers createApiUser readApiUser changeApiUser disableApiUser enableApiUser deleteApiUser revokeTokens',
  'exportApiUsers importApiUsers moveApiUsers listOrganisations createOrganisation readOrganisation changeOrganisation',
  'disableOrganisation enableOrganisation deleteOrganisation listViolations checkPolicy',
  'listMembers inviteMember renewMemberInvitation changeMember removeMember listMemberCredentials resetMemberCredentials',
  'listAudienceSettings setAudienceSettings listCredentials createSecret resetCredentials changeCredential',
  'retireCredential cutOff listKeySources checkToken listSigningKeys rotateSigningKey',
  'readApiUserUsage readUsage readRecentUsage readOrganisationUsage readOverview followEvents',
  'listAudit readHistory exportAudit verifyAudit createSecretLink listSecretLinks removeSecretLink',
  'listRefusedRequests listRefusedRequestsOfApiUser previewToken',
].join(' ');

const INVENTED: Record<ObjectKind, string> = {
  api_user: 'api_00000000000000000000',
  credential: '0000000000',
  member: 'op_0000000000000000',
};
/** Counts are written every ten seconds. */
const COUNTED_WITHIN_MS = 30_000;
const UNKNOWN_ORGANISATION = 'org_00000000000000000000';

let server: TestServer;
let world: World;
let routes: { portal: Route[]; admin: Route[] };

before(async () => {
  server = await (await newStore()).start({ MINTMARK_ADMIN_ADDRESS_LIMIT: '1000000' });
  world = await newWorld(server);
  routes = { portal: await routesOf(server, PORTAL), admin: await routesOf(server, ADMIN) };
});
after(async () => await server[Symbol.asyncDispose]());

const callers = (): Browser[] => [world.own.admin, world.own.member];
const decisionOf = ({ operationId }: Route): Decision => PORTAL_DECISIONS[operationId] ?? {};
const below = () => routes.portal.filter((route) => decisionOf(route).outside !== true);

/** The path of a route in this organisation, about this thing. */
function filled({ path }: Route, organisation: string, id: string): string {
  return path
    .replace('{organisation_id}', organisation)
    .replace(/\{(client_id|id)\}/, encodeURIComponent(id));
}

async function call(caller: Browser, route: Route, path: string): Promise<Reply> {
  const { body, headers } = decisionOf(route);
  return await caller.portal(route.method, path, body, { 'Sec-Fetch-Site': 'same-origin', ...headers });
}

test('every route of both APIs has a decision about isolation', () => {
  const ids = (all: Route[]) => all.map(({ operationId }) => operationId).toSorted();
  assert.deepEqual(ids(routes.portal), Object.keys(PORTAL_DECISIONS).toSorted());
  assert.deepEqual(ids(routes.admin), `${OWN} ${OPERATORS_ONLY}`.split(' ').toSorted());
});

test('security 33: other, disabled and unknown organisations answer the same', async () => {
  for (const route of below()) {
    const { object } = decisionOf(route);
    const [foreignId = ''] = object === undefined ? [] : world.foreign[object];
    for (const caller of callers()) {
      const reply = await call(caller, route, filled(route, world.other.id, foreignId));
      assertProblem(reply, 404, 'not_found');
      const expected = observed(reply);
      for (const organisation of [world.disabled, UNKNOWN_ORGANISATION, 'nonsense']) {
        const other = await call(caller, route, filled(route, organisation, INVENTED[object ?? 'member']));
        assert.deepEqual(observed(other), expected, `${route.operationId} ${organisation}`);
      }
    }
  }
});

test('security 33: no list, search, export or cursor holds anything foreign', async () => {
  const { own, marks, foreign, other } = world;
  const cursors = new Map<string, string>();
  for (const list of ['listApiUsers', 'listAudit']) {
    const route = routes.portal.find(({ operationId }) => operationId === list) as Route;
    const page = await ok(other.admin.portal('GET', `${filled(route, other.id, '')}?limit=1`, undefined, {}));
    cursors.set(list, page['next'] as string);
  }
  for (const route of below().filter(({ method }) => method === 'GET')) {
    const { object, queries = [''] } = decisionOf(route);
    const id = { api_user: own.apiUser, credential: own.credential, member: own.memberId }[
      object ?? 'member'
    ];
    const cursor = cursors.get(route.operationId);
    const tried = cursor === undefined ? queries : [...queries, `?after=${encodeURIComponent(cursor)}`];
    for (const caller of callers()) {
      for (const query of tried) {
        const ids = query.includes('ID') ? [other.id, ...Object.values(foreign).flat()] : [''];
        for (const foreignId of ids) {
          const path =
            filled(route, own.id, id) +
            query.replace('TRACE', world.trace).replace('ID', encodeURIComponent(foreignId));
          const reply = await call(caller, route, path);
          assertNoMarks(reply, foreignId, marks, `${route.operationId}${query}`);
        }
      }
    }
  }
});

/** `asked`: the answer may repeat what the request said. */
function assertNoMarks(reply: Reply, asked: string, marks: readonly string[], what: string): void {
  assert.ok([200, what.includes('udit') ? 403 : 404].includes(reply.status), `${what}: ${reply.text}`);
  // The entries of an export record the filter of earlier ones, and usage lists what was asked for.
  const text = what.startsWith('exportAudit') ? withoutFilters(reply.text) : reply.text;
  const found = marks.filter((mark) => mark !== asked && text.includes(mark) && !asked.includes(mark));
  assert.deepEqual(found, [], `${what}: ${reply.text}`);
}

function withoutFilters(lines: string): string {
  return lines.replaceAll(/"after":\{"filter":\{[^}]*\}\}/g, '');
}

test('security 33: the same Idempotency-Key of others replays nothing', async () => {
  const headers = { 'Sec-Fetch-Site': 'same-origin', 'Idempotency-Key': 'nightly-1' };
  const { own, other } = world;
  const body = { name: 'zebra nightly' };
  const first = await other.admin.portal('POST', `/organisations/${other.id}/api-users`, body, headers);
  assert.equal(first.status, 201, first.text);
  server.noteSecret(first.body['client_secret'] as string);
  for (const caller of callers()) {
    const reply = await caller.portal(
      'POST',
      `/organisations/${own.id}/api-users`,
      { name: 'Nightly' },
      headers,
    );
    assert.equal(reply.status, 201, reply.text);
    server.noteSecret(reply.body['client_secret'] as string);
    assert.ok(!reply.text.includes((first.body['api_user'] as { client_id: string }).client_id));
  }
});

/** What an operator sees of everything foreign. */
async function foreignState(): Promise<unknown[]> {
  const state: unknown[] = [];
  for (const id of world.foreign.api_user) {
    state.push(await ok(world.operator.get(`/api-users/${id}`)));
    state.push(await ok(world.operator.get(`/api-users/${id}/credentials`)));
  }
  state.push(await ok(world.operator.get(`/organisations/${world.other.id}/members`)));
  return state;
}

test('security 33: a foreign thing answers as one that does not exist, unchanged', async () => {
  const state = await foreignState();
  // Reads first: the history of an id that a member tried has the attempts of its own organisation.
  const reads = ({ method }: Route) => Number(method !== 'GET');
  for (const route of below().toSorted((a, b) => reads(a) - reads(b))) {
    const { object } = decisionOf(route);
    if (object === undefined) continue;
    for (const caller of callers()) {
      const invented = await call(caller, route, filled(route, world.own.id, INVENTED[object]));
      const expected = observed(invented, INVENTED[object]);
      for (const id of world.foreign[object]) {
        const reply = await call(caller, route, filled(route, world.own.id, id));
        assert.deepEqual(observed(reply, id, encodeURIComponent(id)), expected, `${route.operationId} ${id}`);
      }
    }
  }
  assert.deepEqual(await foreignState(), state);
});

test('security 33: the audit log names no foreign thing that a member asked for', async () => {
  const { own } = world;
  const audit = await ok(own.admin.portal('GET', `/organisations/${own.id}/audit?outcome=refused&limit=200`));
  const items = audit['items'] as { subject: { name: unknown }; related: { name: unknown } | null }[];
  assert.ok(items.length > 20);
  const names = items.flatMap(({ subject, related }) => [subject.name, related?.name]);
  assert.deepEqual(
    names.filter((name) => typeof name === 'string' && name.includes('zebra')),
    [],
  );
});

test('security 33: a foreign thing takes no longer than one that does not exist', async () => {
  const at = `/organisations/${world.own.id}`;
  const [clientId = ''] = world.foreign.api_user;
  const [, credential = ''] = world.foreign.credential;
  for (const [method, path, foreign, invented] of [
    ['DELETE', `${at}/api-users/ID`, clientId, INVENTED.api_user],
    ['POST', `${at}/credentials/ID/retire`, credential, INVENTED.credential],
  ] as const) {
    const fastest = async (id: string) => {
      const times: number[] = [];
      for (let i = 0; i < 3; i++) {
        const start = performance.now();
        assertProblem(await world.own.admin.portal(method, path.replace('ID', id)), 404, 'not_found');
        times.push(performance.now() - start);
      }
      return Math.min(...times);
    };
    const difference = (await fastest(foreign)) - (await fastest(invented));
    // Gathering the uses of a live credential takes a second.
    assert.ok(difference < 500, `${path}: ${difference} ms`);
  }
});

test('security 32: the admin API refuses members everything but their own', async () => {
  const own = new Set(OWN.split(' '));
  for (const route of routes.admin.filter(({ operationId }) => !own.has(operationId))) {
    const kind: ObjectKind = /\/credentials\/\{id\}/.test(route.path)
      ? 'credential'
      : route.path.includes('{client_id}')
        ? 'api_user'
        : 'member';
    for (const caller of callers()) {
      const send = async (organisation: string, id: string) =>
        await caller.send(
          route.method,
          filled(route, organisation, id),
          route.method === 'GET' ? undefined : {},
        );
      const unknown = await send(UNKNOWN_ORGANISATION, INVENTED[kind]);
      assertProblem(unknown, 403, 'forbidden');
      const reply = await send(world.other.id, world.foreign[kind][0] ?? '');
      assert.deepEqual(observed(reply), observed(unknown), route.operationId);
    }
  }
});

test('security 32: tokens of an organisation open neither API', async () => {
  const { own, operator } = world;
  const made = await ok(
    own.admin.portal('POST', `/organisations/${own.id}/api-users`, {
      name: 'Caller',
      scopes: ['campaigns:read'],
    }),
  );
  const { client_id: clientId } = made['api_user'] as { client_id: string };
  const secret = made['client_secret'] as string;
  server.noteSecret(secret);
  const granted = { scopes: ['mintmark:admin'] };
  const any = { 'If-Match': '*', 'Sec-Fetch-Site': 'same-origin' };
  assertProblem(await operator.send('PATCH', `/api-users/${clientId}`, granted, any), 400, 'invalid');
  const { body } = await server.post({ client_id: clientId, client_secret: secret, resource: server.url });
  const token =
    body['access_token'] ??
    (await server.post({ client_id: clientId, client_secret: secret })).body['access_token'];
  const headers = { Authorization: `Bearer ${String(token)}` };
  for (const path of [`${ADMIN}/session`, `${ADMIN}/api-users`, `${PORTAL}/organisations/${own.id}`]) {
    assertProblem(await exchange(server.port, { method: 'GET', path, headers }), 401, 'not_signed_in');
  }
});

test('security 33: attempts are counted for operators and hidden from organisations', async () => {
  await eventually(async () => {
    const audit = await ok(world.operator.get('/audit?action=organisation.view&outcome=refused&limit=200'));
    const items = audit['items'] as { actor: { name: string }; subject: { id: string } }[];
    return items.some(
      ({ actor, subject }) => actor.name === 'member@first.example' && subject.id === world.other.id,
    );
  }, COUNTED_WITHIN_MS);
  const audit = await world.own.admin.portal(
    'GET',
    `/organisations/${world.own.id}/audit?action=organisation.view`,
  );
  const items = audit.body['items'] as { outcome: string }[];
  assert.deepEqual(
    items.map(({ outcome }) => outcome),
    ['done'],
  );
});
