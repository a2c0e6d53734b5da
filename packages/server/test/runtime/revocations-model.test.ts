import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { createRevocationList } from '../../src/runtime/revocations/revocation-list.ts';
import { revocationDigest, type Revocation } from '../../src/domain/revocation.ts';
import type { RevocationRows } from '../../src/storage/tables/revocation.ts';

// A store whose reads are begun, carried out and answered at moments that the test chooses. In every order of writes, loads
// and refreshes that fast-check finds, the list must have what it was refreshed with, and in the end what the store holds.

const PAGE_ROWS_MAX = 2; // so that a load takes several pages
const REMOVES_AT = 1_000_000;
const IDS = Array.from({ length: 8 }, (_, i) => `id ${i}`);

interface Read {
  carryOut(): void;
  answer(): void;
  carriedOut: boolean;
}

function controlledStore() {
  let rows = new Map<string, Revocation>();
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
  const sorted = () => Array.from(rows.values()).toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
  const source: Pick<RevocationRows, 'find' | 'page'> = {
    find: (digests) => read(() => sorted().filter(({ digest }) => digests.includes(digest))),
    page: (after) =>
      read(() =>
        sorted()
          .filter(({ digest }) => digest > after)
          .slice(0, PAGE_ROWS_MAX),
      ),
  };
  return {
    source,
    reads,
    put: (revocation: Revocation) => void rows.set(revocation.digest, revocation),
    copy: () => new Map(rows),
    restore: (copy: Map<string, Revocation>) => void (rows = new Map(copy)),
    sorted,
    step(pick: number) {
      const at = pick % Math.max(1, reads.length);
      const pending = reads[at];
      if (pending === undefined) return;
      if (!pending.carriedOut) pending.carryOut();
      else reads.splice(at, 1)[0]?.answer();
    },
  };
}

/** Half of the ids are of tokens, half of API users, whose later revocations cut off more. */
function revocationOf(id: number, written: number): Revocation {
  const digest = revocationDigest(IDS[id]!);
  return { digest, issuedBefore: id % 2 === 0 ? null : written, removesAt: REMOVES_AT };
}

const action = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('write' as const), id: fc.nat(IDS.length - 1) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('poll' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('revoke' as const), id: fc.nat(IDS.length - 1) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('load' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restore' as const) }) },
  { weight: 9, arbitrary: fc.record({ do: fc.constant('step' as const), pick: fc.nat(20) }) },
);
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

async function play(actions: readonly Action[]): Promise<void> {
  const store = controlledStore();
  const list = createRevocationList(store.source);
  const backup = store.copy();
  let changed: string[] = [];
  let restored = false;
  /** How often the store was restored. */
  let restores = 0;
  let feeding: Promise<void> | null = null;
  let loading: Promise<void> | null = null;
  let written = 0;
  /** What the list must hold from now on, by the digest: the store had it when a refresh of it was asked for. */
  const promised = new Map<string, Revocation>();
  const wrong: string[] = [];

  function has({ digest, issuedBefore }: Revocation): boolean {
    const id = IDS.find((one) => revocationDigest(one) === digest)!;
    const issuedAt = (issuedBefore ?? 1) - 1;
    return list.includes({ tokenId: id, clientId: id, organisationId: null, issuedAt });
  }
  function check(moment: string): void {
    for (const revocation of promised.values())
      if (!has(revocation)) wrong.push(`${moment}: ${JSON.stringify(revocation)} is missing`);
  }
  /** As the change feed does, one batch at a time; and as a revoked token does, at any time. */
  async function refresh(digests: readonly string[]): Promise<void> {
    const then = store.sorted().filter(({ digest }) => digests.includes(digest));
    const restoresThen = restores;
    await list.refresh(digests);
    if (restores === restoresThen) for (const one of then) promised.set(one.digest, one);
  }
  async function loadOnce(): Promise<void> {
    await list.load();
    loading = null;
  }
  function load(): void {
    loading ??= loadOnce();
  }
  async function ended(fed: Promise<void>): Promise<void> {
    await fed;
    feeding = null;
  }
  function poll(): boolean {
    if (feeding !== null) return true;
    if (restored) {
      if (loading !== null) return true;
      restored = false;
      load();
      feeding = loading!;
    } else if (changed.length > 0) {
      feeding = refresh(changed);
      changed = [];
    } else return loading !== null;
    void ended(feeding);
    return true;
  }

  for (const step of actions) {
    if (step.do === 'write' || step.do === 'revoke') {
      written += 1;
      const revocation = revocationOf(step.id, written);
      store.put(revocation);
      changed.push(revocation.digest);
      if (step.do === 'revoke') void refresh([revocation.digest]);
    } else if (step.do === 'poll') poll();
    else if (step.do === 'load') load();
    else if (step.do === 'step') store.step(step.pick);
    else {
      store.restore(backup);
      promised.clear();
      restored = true;
      restores += 1;
    }
    await turn();
    check(step.do);
  }
  while (poll() || store.reads.length > 0) {
    store.step(0);
    await turn();
    check('in the end');
  }
  for (const revocation of store.sorted())
    if (!has(revocation)) wrong.push(`the store has ${JSON.stringify(revocation)}`);
  assert.deepEqual(wrong, []);
}

test(
  'a revocation list keeps every revocation through loads in any order',
  { timeout: 120_000 },
  async () => {
    await fc.assert(fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 80 }), play), {
      numRuns: 500,
    });
  },
);
