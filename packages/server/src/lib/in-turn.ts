/** A piece of work that is done once at a time, however many ask for it. */
export interface InTurn {
  /**
   * Resolves when a run that began after this call is done. One that is under way may have missed what the caller asks
   * it for: it is followed by another, for all who asked meanwhile.
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
    await current?.catch(() => undefined); // whoever began it hears of it
    next = undefined;
    await run();
  }

  function run(): Promise<void> {
    if (current === undefined) return (current = start());
    return (next ??= afterThis());
  }

  return { run, underWay: () => current !== undefined };
}
