// Prints how many bytes an API user with one secret takes in memory, its part of its organisation included.
// Arguments: how many API users, how many of them each organisation has (1: they have none), and the claims of
// the organisations. Runs as its own process.
import { hash } from 'node:crypto';
import { createEntries } from '../packages/server/src/runtime/directory/entries.ts';
import { knownApiUsers } from '../packages/server/src/runtime/directory/entry.ts';
import { createOrganisations } from '../packages/server/src/runtime/directory/organisations.ts';
import { DEFAULT_POLICY } from '../packages/server/src/domain/organisation.ts';
import { policyRecord } from '../packages/server/src/domain/organisation-record.ts';
import { tokenShape } from '../packages/server/src/domain/token-shape.ts';
import type { KnownApiUserRow } from '../packages/server/src/storage/tables/known-api-user.ts';
import type { KnownOrganisationRow } from '../packages/server/src/storage/tables/known-organisation.ts';
import { clientIdAt } from './population.ts';
import { settledHeap } from './settled-heap.ts';

const [apiUsers = '0', each = '1', claims = '{}'] = process.argv.slice(2);
const count = Number(apiUsers);
const members = Number(each);
const AUDIENCE = 'https://api.example.com/';
const PAGE = 250;
const policy = JSON.stringify(
  policyRecord({
    ...DEFAULT_POLICY,
    limitPerMinute: 1000,
    quota: { mode: 'enforce', tokensPerHour: 1000, tokensPerDay: 10_000 },
  }),
);
const ids = members === 1 ? [] : Array.from({ length: count / members }, (_, i) => organisationAt(i));

const before = await settledHeap();
const organisations = createOrganisations(
  {
    knownOrganisations: {
      page: async (after, limit) => {
        const from = after === '' ? 0 : ids.indexOf(after) + 1;
        return ids.slice(from, from + limit).map(rowOf);
      },
      byIds: async (some) => some.map(rowOf),
    },
    audienceSettings: { list: async () => [] },
    usage: { recent: async () => [] },
  },
  { tokenLifeSeconds: 900 },
  { error: () => undefined },
  Date.now,
);
await organisations.load();
const entries = createEntries(count);
const toEntries = knownApiUsers({ audience: AUDIENCE, apiUserLimit: 250, organisations });
for (let at = 0; at < count; at += PAGE) {
  for (const entry of toEntries(Array.from({ length: PAGE }, (_, i) => rowAt(at + i)))) entries.keep(entry);
}
// Each policy has the shape of its tokens, as after the first token.
for (let at = 0; at < count; at++) shapeOf(at);
const bytes = ((await settledHeap()) - before) / count;
shapeOf(count - 1); // they are all still in memory
console.log(bytes.toFixed(0));

function shapeOf(at: number): void {
  const entry = entries.find(clientIdAt(at));
  if (entry === undefined) throw new Error('An API user is not in memory.');
  tokenShape(entry.policy, AUDIENCE, organisations.tokenSettings);
}

function organisationAt(i: number): string {
  return `org_${clientIdAt(i).slice(4)}`;
}

function rowOf(id: string): KnownOrganisationRow {
  return { id, enabled: 1, policy, claims };
}

/** In the order of client ids, the API users of an organisation lie anywhere. */
function rowAt(i: number): KnownApiUserRow {
  return {
    client_id: clientIdAt(i),
    created_at: 0,
    organisation_id: ids[i % Math.max(1, ids.length)] ?? null,
    claims: null,
    token_life_seconds: null,
    username_key: null,
    enabled: 1,
    scopes: '["campaigns:read"]',
    audiences: '[]',
    allowed_networks: '[]',
    limit_per_minute: null,
    credential_id: String(i).padStart(10, '0'),
    kind: 'secret',
    digest: hash('sha256', `digest ${i}`, 'base64url'),
    facts: null,
    credential_created_at: 0,
    expires_at: null,
    retired_at: null,
  };
}
