import { withDeadline } from '../../src/lib/deadline.ts';
import type { SharedCall, SharedCounts } from '../../src/domain/shared-limit.ts';
import type { AssertionUse } from '../../src/domain/used-assertion.ts';
import { memoryLimits } from '../../src/storage/memory/counters.ts';
import type { Link, Network } from './network.ts';
import type { Host, Universe } from './universe.ts';

const CALL_MS = 1000;
const KEYS_MAX = 1000;

/** What Redis does for all nodes of a run: it counts calls, and remembers used assertions. */
export class SharedCounters {
  readonly #universe: Universe;
  readonly #network: Network;
  readonly #count: ReturnType<typeof memoryLimits> = memoryLimits(KEYS_MAX);
  readonly #usedUntil: Map<string, number> = new Map();
  /** Assertions whose use a node could not record here, as far as it knows. */
  readonly missed: Set<string> = new Set();

  constructor(universe: Universe, network: Network) {
    this.#universe = universe;
    this.#network = network;
  }

  count(host: Host, link: Link, call: SharedCall): Promise<SharedCounts> {
    return this.#network.call<SharedCounts>(host, link, {
      timeoutMs: CALL_MS,
      serve: (reply) => reply(this.#count(call, this.#universe.dayMs())),
    });
  }

  /** As storage/redis/limits.ts: null if there is no answer in time. */
  async use(host: Host, link: Link, use: RecordedUse): Promise<AssertionUse | null> {
    const { key, deadlineMs } = use;
    const call = this.#network.call<AssertionUse>(host, link, {
      timeoutMs: CALL_MS,
      serve: (reply) => reply(this.#record(use)),
    });
    const answer = await withDeadline(call, deadlineMs, () => new Error('late')).catch(() => null);
    return answer ?? this.miss(key);
  }

  /** A node decides alone. */
  miss(key: string): null {
    this.missed.add(key);
    return null;
  }

  /** SET with NX and PX. */
  #record({ key, lifeMs }: RecordedUse): AssertionUse {
    const { now } = this.#universe;
    if ((this.#usedUntil.get(key) ?? 0) > now) return 'used';
    this.#usedUntil.set(key, now + Math.max(1, Math.ceil(lifeMs)));
    return 'new';
  }
}

export interface RecordedUse {
  key: string;
  lifeMs: number;
  deadlineMs: number;
}
