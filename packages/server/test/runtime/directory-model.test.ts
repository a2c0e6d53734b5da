import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { createDirectory, type Directory } from '../../src/runtime/directory/directory.ts';
import type { KnownApiUserRow, KnownApiUserRows } from '../../src/storage/tables/known-api-user.ts';
import { NO_ORGANISATIONS } from '@mintmark/test-support/no-organisations';

// A store whose reads are begun, carried out and answered at moments that the test chooses, and a change feed that hands
// changes on one batch at a time, as the real one does. Every order of these that fast-check finds must leave the
// directory with what the store holds.

/** More than two pages of the directory; these few are the ones that change. */
const USERS = Array.from({ length: 520 }, (_, i) => `user-${String(i).padStart(3, '0')}`);
const CHANGING = [0, 100, 249, 250, 499, 519].map((i) => USERS[i]!);

/** The limit of an API user says which write it is from; null: it was deleted. */
type Value = number | null;

interface Read {
  carryOut(): void;
  answer(): void;
  carriedOut: boolean;
}

function controlledStore() {
  let values = new Map<string, Value>(USERS.map((id) => [id, 1]));
  const reads: Read[] = [];

  function read<T>(what: () => T): Promise<T> {
    return new Promise((resolve) => {
      let result: T;
      const pending: Read = {
        carriedOut: false,
        carryOut() {
          result = what();
          pending.carriedOut = true;
        },
        answer: () => resolve(result),
      };
      reads.push(pending);
    });
  }
  const existing = (ids: readonly string[]) =>
    ids.filter((id) => (values.get(id) ?? null) !== null).map((id) => rowOf(id, values.get(id) as number));
  const rows: KnownApiUserRows = {
    byName: (id) => read(() => existing([id])),
    byIds: (ids) => read(() => existing(ids)),
    page: (after, limit) =>
      read(() => existing(USERS.filter((id) => id > (after?.client_id ?? ''))).slice(0, limit)),
    readAll: async (work) => {
      await read(() => null);
      const result = await work();
      await read(() => null);
      return result;
    },
    anyPassword: () => read(() => false),
  };
  return {
    rows,
    reads,
    valueOf: (id: string): Value => values.get(id) ?? null,
    write: (id: string, value: Value) => void values.set(id, value),
    copy: () => new Map(values),
    restore: (copy: Map<string, Value>) => void (values = new Map(copy)),
    /** One step of one read that is under way: the first step carries it out, the second answers. */
    step(pick: number) {
      const at = pick % Math.max(1, reads.length);
      const pending = reads[at];
      if (pending === undefined) return;
      if (!pending.carriedOut) pending.carryOut();
      else reads.splice(at, 1)[0]?.answer();
    },
  };
}

function rowOf(clientId: string, value: number): KnownApiUserRow {
  return {
    client_id: clientId,
    created_at: 0,
    organisation_id: null,
    claims: null,
    token_life_seconds: null,
    username_key: null,
    enabled: 1,
    scopes: '[]',
    audiences: '[]',
    allowed_networks: '[]',
    limit_per_minute: value,
    credential_id: null,
    kind: null,
    digest: null,
    facts: null,
    credential_created_at: null,
    expires_at: null,
    retired_at: null,
  };
}

const action = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('write' as const), user: fc.nat(5), gone: fc.boolean() }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('find' as const), user: fc.nat(5) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('step' as const), pick: fc.nat(20) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('poll' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('load' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restore' as const) }) },
);
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

async function play(actions: readonly Action[], directoryMax: number): Promise<void> {
  const store = controlledStore();
  const copy = store.copy();
  const settings = {
    directoryMax,
    unknownMax: 3,
    unknownTtlMs: 60_000,
    lookupsMax: 100,
    lookupTimeoutMs: 60_000,
  };
  const directory = createDirectory(
    store.rows,
    { ...settings, staleMaxSeconds: 900, audience: 'a', apiUserLimit: 1 },
    () => 0,
    NO_ORGANISATIONS,
  );
  const history = new Map<string, Value[]>(USERS.map((id) => [id, [1]]));
  /** How much of its history a look-up that begins now must know of. */
  const told = new Map<string, number>(USERS.map((id) => [id, 0]));
  const finds: Promise<void>[] = [];
  const wrong: string[] = [];
  let changed: string[] = [];
  let restored = false;
  let feeding: Promise<void> | null = null;
  let written = 1;

  /** Hands on what changed, unless that is still being done; true while there is anything to hand on. */
  const poll = (): boolean => {
    if (feeding !== null || (changed.length === 0 && !restored)) return feeding !== null;
    const ids = Array.from(new Set(changed));
    const everything = restored;
    const knownThen = USERS.map((id) => [id, history.get(id)!.length - 1] as const);
    changed = [];
    restored = false;
    const handOn = async () => {
      const refreshed = everything ? undefined : directory.refresh(ids);
      if (everything) void directory.loadAnew(); // the feed goes on meanwhile
      await refreshed;
      for (const [id, index] of knownThen) if (everything || ids.includes(id)) told.set(id, index);
      feeding = null;
    };
    feeding = handOn();
    return true;
  };
  const find = (id: string) => {
    const from = told.get(id)!;
    const check = async () => {
      const value = await valueIn(directory, id);
      const allowed: (Value | string)[] = history.get(id)!.slice(from);
      if (!allowed.includes(value)) wrong.push(`${id} was found as ${value}, not one of ${String(allowed)}`);
    };
    finds.push(check());
  };
  for (const step of actions) {
    if (step.do === 'write') {
      const id = CHANGING[step.user]!;
      written += 1;
      store.write(id, step.gone ? null : written);
      history.get(id)!.push(store.valueOf(id));
      changed.push(id);
    } else if (step.do === 'restore') {
      store.restore(copy);
      for (const id of CHANGING) history.get(id)!.push(store.valueOf(id));
      restored = true;
    } else if (step.do === 'find') find(CHANGING[step.user]!);
    else if (step.do === 'step') store.step(step.pick);
    else if (step.do === 'poll') poll();
    else void directory.load();
    await turn();
  }
  const settle = async () => {
    while (store.reads.length > 0) {
      store.step(0);
      await turn();
    }
  };
  while (poll() || store.reads.length > 0) await settle();
  for (const id of CHANGING) {
    told.set(id, history.get(id)!.length - 1);
    find(id);
  }
  await settle();
  await Promise.all(finds);
  assert.deepEqual(wrong, []);
}

async function valueIn(directory: Directory, id: string): Promise<Value | string> {
  const found = await directory.find(id, 0);
  if (found === undefined) return null;
  return 'denied' in found ? found.denied : found.policy.limitPerMinute;
}

for (const directoryMax of [100_000, 300]) {
  test(
    `look-ups and restores in any order leave nothing stale (${directoryMax} entries)`,
    { timeout: 120_000 },
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 80 }), (actions) =>
          play(actions, directoryMax),
        ),
        { numRuns: 300 },
      );
    },
  );
}
