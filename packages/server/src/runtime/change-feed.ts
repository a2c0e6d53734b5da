import type { Change, ChangeRows } from '../storage/tables/change.ts';

/** Keeps what a process holds in memory in step with the store: at most a second behind while the store answers. */
export interface ChangeFeed {
  /**
   * Notes the number of the last change, then calls `load`, which reads from the store what the process holds, then applies the
   * changes since that number, and polls until stopped. No handler is called during `load`.
   */
  start(load: () => Promise<void>): Promise<void>;
  /** Looks for changes at once: a hint that there are some. */
  wake(): void;
  /** Resolves when what the store has at the time of the call is applied, or could not be read. */
  follow(): Promise<void>;
  stop(): Promise<void>;
  /** How long ago the last poll that succeeded began, in milliseconds. */
  staleMs(): number;
  /** The number of the last change that was applied. */
  applied(): number;
}

export interface ChangeHandlers {
  apiUsersChanged(clientIds: readonly string[]): Promise<void>;
  signingKeysChanged(): Promise<void>;
  revocationsChanged(digests: readonly string[]): Promise<void>;
  /** Uses that wait in memory are to be written now. Does not wait until they are. */
  usageRequested(): void;
  /** The feed cannot tell what changed: its past is another one (a restored store), or what was missed is gone. */
  everythingChanged(): Promise<void>;
  /** Called when polls begin to fail and when they succeed again. */
  reach(error: Error | null): void;
}

const BATCH = 1000;

/** `clock` counts milliseconds from anywhere and never jumps (performance.now). */
export function createChangeFeed(
  changes: ChangeRows,
  handlers: ChangeHandlers,
  pollMs: number,
  clock: () => number = () => performance.now(),
): ChangeFeed {
  let last = 0;
  /** The change with that number, as it was read: by it a feed with another past is told from ours. */
  let lastChange: Change | null = null;
  let freshAt = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  let polling: Promise<void> | undefined;
  let again = false;
  /** From the end of the load of the start to the stop. */
  let running = false;
  let failing = false;

  async function poll(): Promise<void> {
    const startedAt = clock();
    try {
      await catchUp();
      freshAt = startedAt;
      if (failing) handlers.reach(null);
      failing = false;
    } catch (error) {
      if (!failing && running) handlers.reach(error as Error);
      failing = true;
    }
  }

  async function catchUp(): Promise<void> {
    const { epoch, change } = await changes.position(last);
    // A store that was put back, or whose failover lost changes, may have got past our number by now, with others.
    if (epoch < last || (lastChange !== null && !isSame(change, lastChange)))
      return await loadFromHere(handlers.everythingChanged);
    while (last < epoch) {
      const batch = await changes.after(last, BATCH);
      const newest = batch.at(-1);
      // There are no gaps in the numbers: where the next one is missing, it was removed already.
      if (newest === undefined || batch[0]?.n !== last + 1)
        return await loadFromHere(handlers.everythingChanged);
      await apply(batch);
      last = newest.n;
      lastChange = newest;
    }
  }

  /** The number is noted before the load: a change that comes during the load may be missing from it, and is applied after it. */
  async function loadFromHere(load: () => Promise<void>): Promise<void> {
    const { epoch, change } = await changes.position(null);
    await load();
    last = epoch;
    lastChange = change;
  }

  async function apply(batch: readonly Change[]): Promise<void> {
    const idsOf = (noun: Change['noun']) =>
      batch.filter((change) => change.noun === noun).map(({ id }) => id);
    const clientIds = new Set(idsOf('api_user'));
    if (clientIds.size > 0) await handlers.apiUsersChanged(Array.from(clientIds));
    if (idsOf('signing_key').length > 0) await handlers.signingKeysChanged();
    const digests = new Set(idsOf('revocation'));
    if (digests.size > 0) await handlers.revocationsChanged(Array.from(digests));
    if (idsOf('usage').length > 0) handlers.usageRequested();
  }

  /** One poll at a time; a wake-up during one is followed by another, because it may have come too late for it. */
  async function run(): Promise<void> {
    clearTimeout(timer);
    if (polling !== undefined) {
      again = true;
      return;
    }
    polling = poll();
    await polling;
    polling = undefined;
    if (!running) return;
    timer = setTimeout(() => void run(), again ? 0 : pollMs);
    again = false;
  }

  return {
    async start(load) {
      const startedAt = clock();
      await loadFromHere(load);
      freshAt = startedAt;
      running = true;
      await run();
    },
    wake: () => {
      if (running) void run();
    },
    async follow() {
      await polling; // one that is under way may have begun too early
      if (polling === undefined && running) void run();
      await polling;
    },
    async stop() {
      running = false;
      clearTimeout(timer);
      await polling;
    },
    staleMs: () => clock() - freshAt,
    applied: () => last,
  };
}

function isSame(a: Change | null, b: Change): boolean {
  return a !== null && a.noun === b.noun && a.id === b.id && a.at === b.at;
}
