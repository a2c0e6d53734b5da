// Holds the given number of API users as a server does. Prints the cost of garbage collection as a line of
// JSON.
import { hash } from 'node:crypto';
import {
  constants,
  monitorEventLoopDelay,
  PerformanceObserver,
  type PerformanceEntry,
} from 'node:perf_hooks';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { createEntries } from '../packages/server/src/runtime/directory/entries.ts';
import { knownApiUsers } from '../packages/server/src/runtime/directory/entry.ts';
import { knownOrganisation, NO_ORGANISATION } from '../packages/server/src/domain/known-organisation.ts';
import { createUsageGathering } from '../packages/server/src/runtime/usage/pending-usage.ts';
import type { KnownApiUserRow } from '../packages/server/src/storage/tables/known-api-user.ts';
import { clientIdAt } from './population.ts';

export interface HeapFigures {
  heapMiB: number;
  collections: number;
  /** Longest full collection during loading. */
  longestMs: number;
  /** Longest turn of the event loop afterwards. */
  laterMs: number;
}

const PAGE = 250;
const PAGES_IN_A_TURN = 20;
const ASKED_MS = 30_000;
const ASKED_IN_A_TURN = 50;
/** Number of uses that wait to be written at ten thousand per second. */
const USES_KEPT = 100_000;
const BODY_BYTES = 300;
const ANSWER_BYTES = 1024;

const count = Number(process.argv[2]);
const full: number[] = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries() as (PerformanceEntry & { detail: { kind: number } })[]) {
    if (entry.detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) full.push(entry.duration);
  }
}).observe({ entryTypes: ['gc'] });

const entries = createEntries(count);
const toEntries = knownApiUsers({
  audience: 'https://api.example.com/',
  apiUserLimit: 250,
  organisations: { get: (id) => knownOrganisation(id, NO_ORGANISATION) },
});
const digest = hash('sha256', 'secret', 'base64url');
for (let at = 0; at < count; at += PAGE) {
  for (const entry of toEntries(Array.from({ length: PAGE }, (_, i) => rowAt(at + i)))) entries.keep(entry);
  if (at % (PAGE * PAGES_IN_A_TURN) === 0) await turn();
}
await turn();
const figures = {
  heapMiB: process.memoryUsage().heapUsed / 2 ** 20,
  collections: full.length,
  longestMs: Math.max(0, ...full),
};
const laterMs = await longestTurn();
console.log(JSON.stringify({ ...figures, laterMs } satisfies HeapFigures));
process.exit();

function rowAt(i: number): KnownApiUserRow {
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
    kind: 'secret',
    digest,
    facts: null,
    credential_created_at: 0,
    expires_at: null,
    retired_at: null,
  };
}

/** Runs with each request's garbage: a body, a response and a use that waits to be written. */
async function longestTurn(): Promise<number> {
  const lag = monitorEventLoopDelay({ resolution: 5 });
  lag.enable();
  const gathering = createUsageGathering(USES_KEPT, () => void gathering.drain(Date.now()));
  const until = performance.now() + ASKED_MS;
  for (let asked = 0; performance.now() < until; await sleep(5)) {
    for (let i = 0; i < ASKED_IN_A_TURN; i++, asked++) {
      const entry = entries.find(clientIdAt(Math.floor(Math.random() * count)));
      if (entry === undefined) throw new Error('One that was read is not there.');
      const body = Buffer.alloc(BODY_BYTES, asked % 256).toString('latin1');
      Buffer.allocUnsafeSlow(ANSWER_BYTES).fill(0, 0, 8);
      const use = { apiUser: entry, credentialId: body.slice(0, 10), nowMs: Date.now() };
      gathering.noteUse(use, '::1', 1);
    }
  }
  lag.disable();
  return lag.max / 1e6;
}
