// Prints how many bytes an API user with one credential takes in memory. Arguments: the folder of a checkout of
// Mintmark, the kind of the credential, and how many API users. Runs as its own process.
import { hash } from 'node:crypto';
import type { createEntries as Entries } from '../packages/server/src/runtime/directory/entries.ts';
import type { knownApiUsers as Known } from '../packages/server/src/runtime/directory/entry.ts';
import type { KnownApiUserRow } from '../packages/server/src/storage/tables/known-api-user.ts';
import { clientIdAt } from './population.ts';
import { settledHeap } from './settled-heap.ts';

const [checkout = '', kind = 'secret', apiUsers = '0'] = process.argv.slice(2);
const count = Number(apiUsers);
const directory = `${checkout}/packages/server/src/runtime/directory`;
const { createEntries } = (await import(`${directory}/entries.ts`)) as { createEntries: typeof Entries };
const { knownApiUsers } = (await import(`${directory}/entry.ts`)) as { knownApiUsers: typeof Known };

const PAGE = 250;
const before = await settledHeap();
const entries = createEntries(count);
const toEntries = knownApiUsers({
  audience: 'https://api.example.com/',
  apiUserLimit: 250,
  organisations: {
    get: (id) => {
      throw new Error(`No API user here has the organisation ${id}.`);
    },
  },
});
for (let at = 0; at < count; at += PAGE) {
  for (const entry of toEntries(Array.from({ length: PAGE }, (_, i) => rowAt(at + i)))) entries.keep(entry);
}
const bytes = ((await settledHeap()) - before) / count;
if (entries.find(clientIdAt(count - 1)) === undefined) throw new Error('The last API user is not in memory.');
console.log(bytes.toFixed(0));

function rowAt(i: number): KnownApiUserRow {
  const digest = hash('sha256', `digest ${i}`, 'base64url');
  return {
    client_id: clientIdAt(i),
    created_at: 0,
    organisation_id: null,
    claims: null,
    token_life_seconds: null,
    username_key: null,
    enabled: 1,
    scopes: '["campaigns:read"]',
    audiences: '[]',
    allowed_networks: '[]',
    limit_per_minute: null,
    credential_id: String(i).padStart(10, '0'),
    kind: kind as KnownApiUserRow['kind'],
    digest,
    facts: kind === 'key' ? JSON.stringify({ jwk: { kty: 'EC', crv: 'P-256', x: digest, y: digest } }) : null,
    credential_created_at: 0,
    expires_at: null,
    retired_at: null,
  };
}
