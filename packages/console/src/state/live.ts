import { apiUrl, get, withQuery } from '../api/client.ts';
import type { Change, CredentialUse, LiveRefusal, Rates } from '../api/types.ts';
import { createStore, type Store } from './store.ts';

/** One stream of events for the whole console: browsers allow six connections to a server, over HTTP/1.1. */

/** `paused`: nobody is there to see it. */
export type LiveState = 'connecting' | 'live' | 'away' | 'paused';

export const liveState: Store<LiveState> = createStore<LiveState>('connecting');

/** The last five minutes, a second each, oldest first. */
export const rates: Store<readonly Rates[]> = createStore<readonly Rates[]>([]);
const RATES_KEPT = 300;
/** When a second last came, by the clock of this browser; null: none came yet. */
export const lastRateAt: Store<number | null> = createStore<number | null>(null);

type Listener<T> = (event: T) => void;
const changeListeners = new Set<Listener<Change>>();
const useListeners = new Set<Listener<CredentialUse>>();
const refusalListeners = new Set<Listener<LiveRefusal>>();

const RETRY_FIRST_MS = 1000;
const RETRY_MAX_MS = 30_000;

let source: EventSource | undefined;
let watched: string | null = null;
let retry: ReturnType<typeof setTimeout> | undefined;
let retryMs = RETRY_FIRST_MS;

/** Begins, or begins again with what is watched now. */
export function startLive(): void {
  clearTimeout(retry);
  source?.close();
  const wasAway = ['away', 'paused'].includes(liveState.get());
  liveState.set('connecting');
  const opened = new EventSource(apiUrl(withQuery('/events', { client_id: watched })));
  source = opened;
  opened.addEventListener('open', () => {
    retryMs = RETRY_FIRST_MS;
    // What changed while nobody listened is not told again.
    if (wasAway || liveState.get() === 'away') tell(changeListeners, { noun: '*', id: '*' });
    liveState.set('live');
  });
  opened.addEventListener('error', () => {
    liveState.set('away');
    if (opened.readyState === EventSource.CLOSED) later();
  });
  // Ended for good by the server, which says why: a session that ended is asked about, which asks for the sign-in.
  listen<{ code: string }>(opened, 'end', ({ code }) => {
    opened.close();
    liveState.set('away');
    later();
    if (code === 'not_signed_in') get('/session').catch(() => undefined);
  });
  listen<Change>(opened, 'change', (change) => tell(changeListeners, change));
  listen<{ seconds: Rates[] }>(opened, 'history', ({ seconds }) => keepRates(seconds));
  listen<Rates>(opened, 'rates', (rate) => keepRates([rate]));
  listen<CredentialUse>(opened, 'use', (use) => tell(useListeners, use));
  listen<LiveRefusal>(opened, 'refusal', (refusal) => tell(refusalListeners, refusal));
}

/** What the server tells of a time replaces what was known of it: its history fills the gap of a stream that was away. */
function keepRates(seconds: readonly Rates[]): void {
  lastRateAt.set(Date.now());
  const [first] = seconds;
  if (first === undefined) return;
  const earlier = rates.get().filter(({ at }) => Date.parse(at) < Date.parse(first.at));
  rates.set([...earlier, ...seconds].slice(-RATES_KEPT));
}

export function stopLive(): void {
  clearTimeout(retry);
  source?.close();
  source = undefined;
  liveState.set('paused');
}

/** Adds the uses of one API user to the stream; null: of none. */
export function watchApiUser(clientId: string | null): void {
  if (watched === clientId) return;
  watched = clientId;
  if (source !== undefined) startLive();
}

export function onChange(listener: Listener<Change>): () => void {
  return added(changeListeners, listener);
}

export function onUse(listener: Listener<CredentialUse>): () => void {
  return added(useListeners, listener);
}

export function onRefusal(listener: Listener<LiveRefusal>): () => void {
  return added(refusalListeners, listener);
}

/** An answer that is no stream (a session that ended, a server that is full) ends the browser's own attempts. */
function later(): void {
  clearTimeout(retry);
  retry = setTimeout(startLive, retryMs);
  retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
}

function listen<T>(from: EventSource, name: string, take: Listener<T>): void {
  from.addEventListener(name, (event: MessageEvent<string>) => take(JSON.parse(event.data) as T));
}

function tell<T>(listeners: Set<Listener<T>>, event: T): void {
  for (const listener of listeners) listener(event);
}

function added<T>(listeners: Set<Listener<T>>, listener: Listener<T>): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
