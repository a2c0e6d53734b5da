/** Runs a few pieces of costly work at a time, with a short queue behind them. */
export interface Slots {
  /** Runs the work when its turn comes. Returns null at once if the queue is full. */
  run<T>(work: () => Promise<T>): Promise<T> | null;
}

export function createSlots(atATime: number, queueMax: number): Slots {
  const queue: (() => void)[] = [];
  let taken = 0;

  function free(): void {
    const next = queue.shift();
    if (next === undefined) taken -= 1;
    else next();
  }

  async function inSlot<T>(turn: Promise<void> | null, work: () => Promise<T>): Promise<T> {
    if (turn !== null) await turn;
    try {
      return await work();
    } finally {
      free();
    }
  }

  return {
    run(work) {
      if (taken < atATime) {
        taken += 1;
        return inSlot(null, work);
      }
      if (queue.length >= queueMax) return null;
      return inSlot(new Promise((resolve) => queue.push(resolve)), work);
    },
  };
}
