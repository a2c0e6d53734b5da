import { momentOf, SYSTEM_CLOCK, type Clock, type Moment } from '../lib/clock.ts';
import type { Change, ChangeRows } from '../storage/tables/change.ts';

/** Keeps the memory of a process in step with the store: at most a second behind while the store answers. */
export interface ChangeFeed {
  /**
   * Records the number of the last change, calls `load`, which reads the store into memory, applies the
   * changes since that number, and polls until stopped. The feed calls no handler during `load`.
   */
  start(load: () => Promise<void>): Promise<void>;
  /** Polls at once, on a hint that the store has new changes. */
  wake(): void;
  /** Resolves when all changes that the store has at the time of the call are applied, or the poll failed. */
  follow(): Promise<void>;
  stop(): Promise<void>;
  /**
   * How long ago the last poll that succeeded began, in milliseconds, by the clock that counts more. The
   * steady one stands still while the machine sleeps. If the time of day was set back, that may hide a sleep,
   * so the time by which it was set back counts.
   */
  staleMs(): number;
  /** The number of the last change that was applied. */
  applied(): number;
}

export interface ChangeHandlers {
  organisationsChanged(ids: readonly string[]): Promise<void>;
  audienceSettingsChanged(): Promise<void>;
  apiUsersChanged(clientIds: readonly string[]): Promise<void>;
  signingKeysChanged(): Promise<void>;
  revocationsChanged(digests: readonly string[]): Promise<void>;
  /** Starts to write the uses that wait in memory, and does not wait for the end of it. */
  usageRequested(): void;
  /**
   * The feed cannot tell what changed. Either the store has another past (it was restored), or it has already
   * removed changes that this process missed.
   */
  everythingChanged(): Promise<void>;
  /** Whether the process has dropped from memory what it must read again: then everything is read. */
  lacksSome(): boolean;
  /** Called when polls begin to fail and when they succeed again. */
  reach(error: Error | null): void;
}

const BATCH = 1000;

export function createChangeFeed(
  changes: ChangeRows,
  handlers: ChangeHandlers,
  pollMs: number,
  clock: Clock = SYSTEM_CLOCK,
): ChangeFeed {
  let last = 0;
  /** The change with that number, as it was read. A store with another past has another change under it. */
  let lastChange: Change | null = null;
  let freshAt: Moment = { dayMs: Number.NEGATIVE_INFINITY, steadyMs: Number.NEGATIVE_INFINITY };
  let timer: NodeJS.Timeout | undefined;
  let polling: Promise<void> | undefined;
  let again = false;
  /** True from the end of the first load until the stop. */
  let running = false;
  let failing = false;

  async function poll(): Promise<void> {
    const startedAt = momentOf(clock);
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
    // A restored store, or one whose failover lost changes, may have passed our number already with other
    // changes.
    const isOtherPast = epoch < last || (lastChange !== null && !isSame(change, lastChange));
    if (isOtherPast || handlers.lacksSome()) return await loadFromHere(handlers.everythingChanged);
    while (last < epoch) {
      const batch = await changes.after(last, BATCH);
      const newest = batch.at(-1);
      // The numbers have no gaps: if the next one is missing, the store has already removed it.
      if (newest === undefined || batch[0]?.n !== last + 1)
        return await loadFromHere(handlers.everythingChanged);
      await apply(batch);
      last = newest.n;
      lastChange = newest;
    }
  }

  /**
   * Reads the number before the load: the load may miss a change that comes during it, and the feed applies
   * it afterwards.
   */
  async function loadFromHere(load: () => Promise<void>): Promise<void> {
    const { epoch, change } = await changes.position(null);
    await load();
    last = epoch;
    lastChange = change;
  }

  async function apply(batch: readonly Change[]): Promise<void> {
    const idsOf = (noun: Change['noun']) =>
      batch.filter((change) => change.noun === noun).map(({ id }) => id);
    const organisationIds = new Set(idsOf('organisation'));
    if (organisationIds.size > 0) await handlers.organisationsChanged(Array.from(organisationIds));
    if (idsOf('audience_settings').length > 0) await handlers.audienceSettingsChanged();
    const clientIds = new Set(idsOf('api_user'));
    if (clientIds.size > 0) await handlers.apiUsersChanged(Array.from(clientIds));
    if (idsOf('signing_key').length > 0) await handlers.signingKeysChanged();
    const digests = new Set(idsOf('revocation'));
    if (digests.size > 0) await handlers.revocationsChanged(Array.from(digests));
    if (idsOf('usage').length > 0) handlers.usageRequested();
  }

  /** Runs one poll at a time. A wake-up during a poll may come too late for it, so another poll follows. */
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
      const startedAt = momentOf(clock);
      await loadFromHere(load);
      freshAt = startedAt;
      running = true;
      await run();
    },
    wake: () => {
      if (running) void run();
    },
    async follow() {
      await polling; // a poll under way may have begun too early
      if (polling === undefined && running) void run();
      await polling;
    },
    async stop() {
      running = false;
      clearTimeout(timer);
      await polling;
    },
    staleMs: () => Math.max(clock.steady() - freshAt.steadyMs, Math.abs(clock.now() - freshAt.dayMs)),
    applied: () => last,
  };
}

function isSame(a: Change | null, b: Change): boolean {
  return a !== null && a.noun === b.noun && a.id === b.id && a.at === b.at;
}
