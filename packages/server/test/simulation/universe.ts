import { seededRandom } from '@mintmark/test-support/seeded-random';

/** A process in the universe. Its clocks may be wrong, it may sleep, and it may crash. */
export interface Host {
  readonly name: string;
  /** How far its time of day is ahead of the true time, in milliseconds. */
  dayOffsetMs: number;
  /** How long its machine was suspended: its steady clock stood still for this long. */
  suspendedMs: number;
  /** It runs nothing before this time. */
  asleepUntil: number;
  /** Each crash starts a new life. Events of a former life do not run. */
  life: number;
}

interface Event {
  at: number;
  order: number;
  host: Host;
  life: number;
  cancelled: boolean;
  run(): void;
}

/** The true time at which each run starts, in milliseconds since 1970 (UTC). */
export const STARTS_AT: number = Date.UTC(2030, 0, 1);
/** Order of events at the same time: a random number keeps no host first. */
const LEAST_DELAY_MS = 0.01;

/**
 * Time, and the events that wait for it. One event runs at a time, with all promises that follow from it, so
 * the same seed gives the same run.
 */
export class Universe {
  /** The true time since the start of the run, in milliseconds. */
  now = 0;
  /** The host whose code runs now. */
  current: Host;
  /** Random numbers of the product's code: identifiers, keys, spread of retries. */
  readonly random: () => number;
  /** The machine that holds the plan, the store and the checks. It never fails. */
  readonly outside: Host = createHost('outside');
  readonly #heap: Event[] = [];
  #order = 0;
  events = 0;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.current = this.outside;
  }

  /** Runs `run` on a host after this delay, unless the host crashes before. */
  schedule(host: Host, delayMs: number, run: () => void): Event {
    this.#order += 1;
    const at = this.now + Math.max(LEAST_DELAY_MS, delayMs);
    const event = { at, order: this.#order, host, life: host.life, cancelled: false, run };
    this.#push(event);
    return event;
  }

  dayMs(): number {
    return Math.floor(STARTS_AT + this.now + this.current.dayOffsetMs);
  }

  steadyMs(): number {
    return this.now - this.current.suspendedMs;
  }

  /** Runs the next event; returns false if none is due before `until`. */
  step(until: number): boolean {
    for (;;) {
      const event = this.#heap[0];
      if (event === undefined || event.at > until) {
        this.now = Math.max(this.now, until);
        return false;
      }
      this.#pop();
      if (event.cancelled || event.life !== event.host.life) continue;
      if (event.host.asleepUntil > event.at) {
        this.#push({ ...event, at: event.host.asleepUntil }, event);
        continue;
      }
      this.now = event.at;
      this.current = event.host;
      this.events += 1;
      event.run();
      return true;
    }
  }

  #push(event: Event, instead?: Event): void {
    if (instead !== undefined) {
      // A timer keeps its event, so that it can still be cancelled.
      instead.at = event.at;
      event = instead;
    }
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent] as Event)) break;
      heap[at] = heap[parent] as Event;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Event;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child += 1;
      if (!isBefore(heap[child] as Event, last)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = last;
  }
}

export type Scheduled = Pick<Event, 'cancelled'>;

export function createHost(name: string): Host {
  return { name, dayOffsetMs: 0, suspendedMs: 0, asleepUntil: 0, life: 0 };
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
