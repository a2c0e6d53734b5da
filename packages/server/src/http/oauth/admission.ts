/** Bounds the work in progress, so that accepted requests keep their latency. Refusals come before work. */
export interface Admission {
  /** True if this process accepts one more request. */
  admits(): boolean;
  /** Counts a request as waiting until its outcome is settled. */
  whileWaiting<T>(outcome: Promise<T>): Promise<T>;
}

/** After a turn that was not full, a burst may be larger by this factor: a burst is not yet an overload. */
const BURST_FACTOR = 4;
/** More requests may wait than are accepted in a turn: waiting costs this thread nothing. */
const WAITING_FACTOR = 4;
/**
 * If more connections are ready than the system reports at once (1024 on Linux), a turn of the event loop
 * does not end. So `max` times this many refusals start a new turn. Otherwise the process would accept
 * nothing more.
 */
const REFUSED_FACTOR = 16;
/** `max` times this many refusals in a turn halve the number of requests that the next turn accepts. */
const HALVED_FACTOR = 4;

/**
 * If requests arrive faster than this process answers, they wait in the buffers of their connections, and it
 * cannot count them. In each turn, the event loop reads one request from each connection that was ready at
 * its start, in the order in which they became ready. The requests after the first `max` of a turn came last
 * and would wait longest.
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
   * A refusal has a cost, too: it makes turns longer for the accepted requests. So the more a turn refuses,
   * the fewer the next one accepts. The number accepted per second stays the same, because turns get shorter
   * in proportion.
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
