/** Lets callers that request the same work while it is under way share it. */
export interface SingleFlight<T> {
  get(key: string): Promise<T> | undefined;
  /** Shares this work under the key until it ends. */
  add(key: string, work: Promise<T>): Promise<T>;
}

export function singleFlight<T>(): SingleFlight<T> {
  const underWay = new Map<string, Promise<T>>();
  return {
    get: (key) => underWay.get(key),
    add(key, work) {
      const ending = work.finally(() => underWay.delete(key));
      underWay.set(key, ending);
      return ending;
    },
  };
}

/** `work`, with one run at a time: callers during a run share it. */
export function shareRun<T>(work: () => Promise<T>): () => Promise<T> {
  let underWay: Promise<T> | undefined;
  return () => {
    underWay ??= work().finally(() => {
      underWay = undefined;
    });
    return underWay;
  };
}
