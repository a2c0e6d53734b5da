import type { ChangeHandlers } from '../change-feed.ts';
import type { KnownApiUser } from '../../domain/known-api-user.ts';
import { ratesBetween, type RouteCounts, type Rates } from './route-statistics.ts';

/** What watchers receive. Its JSON form is in http/admin/event.wire.ts. */
export type LiveEvent =
  | { event: 'change'; noun: string; id: string }
  | ({ event: 'rates' } & PastRates)
  | { event: 'use'; credentialId: string; at: number; address: string; count: number }
  | { event: 'refusal'; reason: string; at: number; count: number };

/** The rates of one second, which ended at `at`, in milliseconds since 1970. */
export type PastRates = { at: number } & Rates;

/** Sends events as they happen to a bounded number of watchers. */
export interface Live {
  /**
   * Starts to call `tell` with changes and rates, and with the uses and refusals of the API user `clientId`.
   * Returns a text if a bound refuses the watcher; the text names the bound.
   */
  watch(watcher: Watcher): Watch | 'full' | 'viewer has enough';
  /** Sends a change that the change feed delivered. */
  changed(noun: string, ids: readonly string[]): void;
  noteUse(apiUser: KnownApiUser, credentialId: string, address: string, nowMs: number): void;
  noteRefusal(reason: string, apiUser: KnownApiUser | undefined, nowMs: number): void;
  /** The rates of this process in the last `seconds`, at most `HISTORY_SECONDS`. */
  lately(seconds: number): Rates & { seconds: number };
  /** The number of watchers. */
  watchers(): number;
  start(): void;
  /** Ends all watchers and refuses new ones. */
  end(): void;
}

export interface Watch {
  /**
   * The rates of the seconds before the watch began, the oldest first: up to `PAST_SECONDS`, fewer after a
   * start.
   */
  past: readonly PastRates[];
  stop(): void;
}

export interface LiveSettings {
  liveStreamsMax: number;
}

const TICK_MS = 1000;
/** One viewer may open one in this many of all streams: ten browser windows with the default settings. */
const VIEWER_PART = 10;
export const HISTORY_SECONDS = 60;
/** The number of past seconds that a new watcher receives. */
const PAST_SECONDS = 300;
/** If more changes than this are sent together, watchers receive one event for all of them. */
const CHANGES_MAX = 100;

export interface Watcher {
  /** Identifies the viewer: the streams of one viewer are bounded, and so are those of all. */
  viewer: string;
  clientId: string | null;
  tell(event: LiveEvent): void;
  ended(): void;
}

/** The uses and refusals of one watched API user since the last tick. */
interface Watched {
  watchers: number;
  uses: Map<string, { at: number; address: string; count: number }>;
  refusals: Map<string, { at: number; count: number }>;
}

export function createLive(
  counts: () => RouteCounts,
  { liveStreamsMax }: LiveSettings,
  clock: () => number = Date.now,
): Live {
  const watchers = new Set<Watcher>();
  const watched = new Map<string, Watched>();
  const history: RouteCounts[] = [counts()];
  const past: PastRates[] = [];
  const changes = new Map<string, { noun: string; id: string }>();
  let ended = false;
  let timer: NodeJS.Timeout | undefined;

  function tick(): void {
    const before = history.at(-1) ?? counts();
    history.push(counts());
    if (history.length > HISTORY_SECONDS + 1) history.shift();
    const second = { at: clock(), ...ratesBetween(before, history.at(-1) ?? before) };
    past.push(second);
    if (past.length > PAST_SECONDS) past.shift();
    if (watchers.size === 0) return;
    const rates: LiveEvent = { event: 'rates', ...second };
    const events = new Map(Array.from(watched, ([clientId, each]) => [clientId, eventsOf(each)]));
    for (const watcher of watchers) {
      watcher.tell(rates);
      for (const event of events.get(watcher.clientId ?? '') ?? []) watcher.tell(event);
    }
  }

  /** Sends the gathered changes together: a bulk change makes thousands of them. */
  function tellChanges(): void {
    const all = changes.size > CHANGES_MAX ? [{ noun: '*', id: '*' }] : Array.from(changes.values());
    changes.clear();
    for (const change of all) for (const { tell } of watchers) tell({ event: 'change', ...change });
  }

  function stopWatching(watcher: Watcher): void {
    if (!watchers.delete(watcher) || watcher.clientId === null) return;
    const each = watched.get(watcher.clientId);
    if (each === undefined) return;
    each.watchers -= 1;
    if (each.watchers === 0) watched.delete(watcher.clientId);
  }

  return {
    watch(watcher) {
      if (ended || watchers.size >= liveStreamsMax) return 'full';
      const own = Array.from(watchers).filter(({ viewer }) => viewer === watcher.viewer).length;
      if (own >= Math.ceil(liveStreamsMax / VIEWER_PART)) return 'viewer has enough';
      const { clientId } = watcher;
      watchers.add(watcher);
      if (clientId !== null) {
        const each = watched.get(clientId) ?? { watchers: 0, uses: new Map(), refusals: new Map() };
        each.watchers += 1;
        watched.set(clientId, each);
      }
      return { past: Array.from(past), stop: () => stopWatching(watcher) };
    },
    changed(noun, ids) {
      if (watchers.size === 0) return;
      if (changes.size === 0) setTimeout(tellChanges, CHANGES_TOGETHER_MS);
      for (const id of ids) if (changes.size <= CHANGES_MAX) changes.set(`${noun} ${id}`, { noun, id });
    },
    noteUse(apiUser, credentialId, address, nowMs) {
      if (watched.size === 0) return; // on the path of each token
      const uses = watched.get(apiUser.clientId)?.uses;
      if (uses === undefined) return;
      const count = (uses.get(credentialId)?.count ?? 0) + 1;
      uses.set(credentialId, { at: nowMs, address, count });
    },
    noteRefusal(reason, apiUser, nowMs) {
      if (watched.size === 0 || apiUser === undefined) return;
      const refusals = watched.get(apiUser.clientId)?.refusals;
      refusals?.set(reason, { at: nowMs, count: (refusals.get(reason)?.count ?? 0) + 1 });
    },
    lately(seconds) {
      const now = counts();
      const before = history.at(-Math.min(seconds, history.length)) ?? now;
      return { ...ratesBetween(before, now), seconds: Math.max(1, Math.min(seconds, history.length)) };
    },
    watchers: () => watchers.size,
    start() {
      timer = setInterval(tick, TICK_MS);
      timer.unref();
    },
    end() {
      ended = true;
      clearInterval(timer);
      for (const watcher of watchers) watcher.ended();
      watchers.clear();
      watched.clear();
    },
  };
}

const CHANGES_TOGETHER_MS = 50;

function eventsOf(watched: Watched): LiveEvent[] {
  const events: LiveEvent[] = [];
  for (const [credentialId, use] of watched.uses) events.push({ event: 'use', credentialId, ...use });
  for (const [reason, refusal] of watched.refusals) events.push({ event: 'refusal', reason, ...refusal });
  watched.uses.clear();
  watched.refusals.clear();
  return events;
}

/** Wraps the handlers so that `changed` is called after them: by then, readers get the new state. */
export function tellingChanges(changed: Live['changed'], handlers: ChangeHandlers): ChangeHandlers {
  return {
    ...handlers,
    async organisationsChanged(ids) {
      await handlers.organisationsChanged(ids);
      changed('organisation', ids);
    },
    async audienceSettingsChanged() {
      await handlers.audienceSettingsChanged();
      changed('audience_settings', ['*']);
    },
    async apiUsersChanged(clientIds) {
      await handlers.apiUsersChanged(clientIds);
      changed('api_user', clientIds);
    },
    async signingKeysChanged() {
      await handlers.signingKeysChanged();
      changed('signing_key', ['*']);
    },
    async everythingChanged() {
      await handlers.everythingChanged();
      changed('*', ['*']);
    },
  };
}
