/** Pieces of work per turn of the event loop. Ending this many connections takes some milliseconds. */
const PER_TURN = 50;

/** Runs pieces of work in order, a few per turn of the event loop: thousands at once would block it. */
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
