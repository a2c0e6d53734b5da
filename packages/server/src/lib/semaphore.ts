/** Runs a few pieces of costly work at a time, with a short queue behind them. */
export interface Semaphore {
  /** Runs the work when its turn comes. Returns null at once if the queue is full. */
  run<T>(work: () => Promise<T>): Promise<T> | null;
}

export function createSemaphore(atATime: number, queueMax: number): Semaphore {
  const queue: (() => void)[] = [];
  let taken = 0;

  function free(): void {
    const next = queue.shift();
    if (next === undefined) taken -= 1;
    else next();
  }

  async function inTurn<T>(turn: Promise<void> | null, work: () => Promise<T>): Promise<T> {
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
        return inTurn(null, work);
      }
      if (queue.length >= queueMax) return null;
      return inTurn(new Promise((resolve) => queue.push(resolve)), work);
    },
  };
}
