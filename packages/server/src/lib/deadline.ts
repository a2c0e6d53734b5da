/** Like `work`, but throws this error if `work` takes longer than `ms`. A later outcome is dropped. */
export function withDeadline<T>(work: Promise<T>, ms: number, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    settleWithin(work, ms, { resolve, reject, late: () => reject(late()) });
  });
}

/** Like `work`, but resolves to `otherwise` if `work` takes longer than `ms`. A later outcome is dropped. */
export function valueWithin<T, L>(work: Promise<T>, ms: number, otherwise: L): Promise<T | L> {
  return new Promise((resolve, reject) => {
    settleWithin(work, ms, { resolve, reject, late: () => resolve(otherwise) });
  });
}

interface Outcomes<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
  late(): void;
}

/**
 * Waits one turn of the event loop after the deadline: answers that arrived while this process was busy are
 * in time.
 */
function settleWithin<T>(work: Promise<T>, ms: number, { resolve, reject, late }: Outcomes<T>): void {
  const timer = setTimeout(() => setImmediate(late), ms);
  function settling<A>(settle: (outcome: A) => void): (outcome: A) => void {
    return (outcome) => {
      clearTimeout(timer);
      settle(outcome);
    };
  }
  work.then(settling(resolve), settling(reject));
}
