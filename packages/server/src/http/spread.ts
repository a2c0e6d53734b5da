/** Connections that are ended in one turn of the event loop: some milliseconds of work. */
const PER_TURN = 50;

/** Does pieces of work in their order, a few in each turn of the event loop, so that thousands at once hold nothing up. */
export function spread(): (work: () => void) => void {
  let waiting: (() => void)[] = [];

  function turn(): void {
    for (const work of waiting.slice(0, PER_TURN)) work();
    waiting = waiting.slice(PER_TURN);
    if (waiting.length > 0) setImmediate(turn);
  }

  return (work) => {
    if (waiting.length === 0) setImmediate(turn);
    waiting.push(work);
  };
}
