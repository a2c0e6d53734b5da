/** Bounds the work in progress, so that those who are served are served soon; the excess is refused before any work. */
export interface Admission {
  /** Whether one more request is taken up. */
  admits(): boolean;
  /** Counts a request that has to wait for something, until it is done. */
  whileWaiting<T>(outcome: Promise<T>): Promise<T>;
}

/** After a turn that was not full, a burst may be so much larger: many callers at once are no overload yet. */
const BURST_FACTOR = 4;
/** More may wait than are taken up in a turn: they use no time of this thread. */
const WAITING_FACTOR = 4;
/**
 * With more ready connections than the system tells of at once (1024 on Linux) a turn of the event loop has no end. After
 * so many refusals for each request that may be taken up it counts as over, or nobody would be served any more.
 */
const REFUSED_FACTOR = 16;
/** With so many refusals in a turn for each request that may be taken up, half as many may be in the next; and so on. */
const HALVED_FACTOR = 4;

/**
 * Requests that come faster than they are answered wait in the buffers of their connections, where nobody can count them.
 * In each turn the event loop reads from all connections that were ready when it began, one request each, in the order in
 * which they became ready: what is left of a turn after `max` requests are those that came last and would wait longest.
 */
export function createAdmission(max: number): Admission {
  let taken = 0;
  let refused = 0;
  let allowed = max * BURST_FACTOR;
  let waiting = 0;
  let turnEnds = false;

  function endTurn(): void {
    beginTurn();
    turnEnds = false;
  }

  /**
   * What is refused has its cost, too, and makes turns longer for those who are served. So fewer are taken up the more are
   * refused: not fewer in a second, because turns are shorter by as much.
   */
  function beginTurn(): void {
    const isOver = taken < max && refused === 0;
    allowed = isOver ? max * BURST_FACTOR : Math.ceil(max / (1 + refused / (max * HALVED_FACTOR)));
    taken = 0;
    refused = 0;
  }

  return {
    admits() {
      if (!turnEnds) {
        turnEnds = true;
        setImmediate(endTurn);
      }
      if (taken < allowed && waiting < max * WAITING_FACTOR) {
        taken += 1;
        return true;
      }
      refused += 1;
      if (refused >= max * REFUSED_FACTOR) beginTurn();
      return false;
    },
    whileWaiting(outcome) {
      waiting += 1;
      return outcome.finally(() => {
        waiting -= 1;
      });
    },
  };
}
