/** A piece of work that runs once at a time, however many callers request it. */
export interface InTurn {
  /**
   * Resolves when a run that began after this call is done. A run under way may have started too early for
   * this caller, so one more run follows it, for all callers that came during it.
   */
  run(): Promise<void>;
  underWay(): boolean;
}

export function inTurn(work: () => Promise<void>): InTurn {
  let current: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  async function start(): Promise<void> {
    try {
      await work();
    } finally {
      current = undefined;
    }
  }

  async function afterThis(): Promise<void> {
    await current?.catch(() => undefined); // the caller that started this run gets its error
    next = undefined;
    await run();
  }

  function run(): Promise<void> {
    if (current === undefined) return (current = start());
    return (next ??= afterThis());
  }

  return { run, underWay: () => current !== undefined };
}
