import { apiUrl, get, withQuery } from '../api/client.ts';
import type {
  ChangeEventJson,
  RatesEventJson,
  RefusalEventJson,
  UseEventJson,
} from '../../../server/src/http/admin/event.wire.ts';
import { ANY_CHANGE, tellChange } from './changes.ts';
import { site } from '../site.ts';
import { createStore, type Store } from './store.ts';

/** One stream of events for the whole console, because browsers allow six HTTP/1.1 connections per server. */

/** `paused`: the operator is inactive. */
export type LiveState = 'connecting' | 'live' | 'away' | 'paused';

export const liveState: Store<LiveState> = createStore<LiveState>('connecting');

/** The last five minutes, one item per second, oldest first. */
export const rates: Store<readonly RatesEventJson[]> = createStore<readonly RatesEventJson[]>([]);
const RATES_KEPT = 300;
/** When the last second arrived, by this browser's clock; null before the first. */
export const lastRateAt: Store<number | null> = createStore<number | null>(null);

type Listener<T> = (event: T) => void;
const useListeners = new Set<Listener<UseEventJson>>();
const refusalListeners = new Set<Listener<RefusalEventJson>>();

const RETRY_FIRST_MS = 1000;
const RETRY_MAX_MS = 30_000;

let source: EventSource | undefined;
let watched: string | null = null;
let retry: ReturnType<typeof setTimeout> | undefined;
let retryMs = RETRY_FIRST_MS;

/** The portal has no stream: its pages ask at this interval. */
const POLL_MS = 10_000;
let polling: ReturnType<typeof setInterval> | undefined;

/** Opens the stream, or reopens it for the current API user. */
export function startLive(): void {
  clearTimeout(retry);
  source?.close();
  if (site.kind !== 'console') {
    clearInterval(polling);
    polling = setInterval(() => document.hidden || tellChange(ANY_CHANGE), POLL_MS);
    return;
  }
  const wasAway = ['away', 'paused'].includes(liveState.get());
  liveState.set('connecting');
  const opened = new EventSource(apiUrl(withQuery('/events', { client_id: watched })));
  source = opened;
  opened.addEventListener('open', () => {
    retryMs = RETRY_FIRST_MS;
    // The stream does not repeat changes from the interruption.
    if (wasAway || liveState.get() === 'away') tellChange(ANY_CHANGE);
    liveState.set('live');
  });
  opened.addEventListener('error', () => {
    liveState.set('away');
    if (opened.readyState === EventSource.CLOSED) later();
  });
  // The server ended the stream. If the session ended, this request opens the sign-in.
  listen<{ code: string }>(opened, 'end', ({ code }) => {
    opened.close();
    liveState.set('away');
    later();
    if (code === 'not_signed_in') get('/session').catch(() => undefined);
  });
  listen<ChangeEventJson>(opened, 'change', tellChange);
  listen<{ seconds: RatesEventJson[] }>(opened, 'history', ({ seconds }) => keepRates(seconds));
  listen<RatesEventJson>(opened, 'rates', (rate) => keepRates([rate]));
  listen<UseEventJson>(opened, 'use', (use) => tell(useListeners, use));
  listen<RefusalEventJson>(opened, 'refusal', (refusal) => tell(refusalListeners, refusal));
}

/** Events replace earlier ones of the same time: the server's history fills gaps of the stream. */
function keepRates(seconds: readonly RatesEventJson[]): void {
  lastRateAt.set(Date.now());
  const [first] = seconds;
  if (first === undefined) return;
  const earlier = rates.get().filter(({ at }) => Date.parse(at) < Date.parse(first.at));
  rates.set([...earlier, ...seconds].slice(-RATES_KEPT));
}

export function stopLive(): void {
  clearTimeout(retry);
  clearInterval(polling);
  source?.close();
  source = undefined;
  liveState.set('paused');
}

/** Adds one API user's uses to the stream; null: no API user. */
export function watchApiUser(clientId: string | null): void {
  if (watched === clientId) return;
  watched = clientId;
  if (source !== undefined) startLive();
}

export function onUse(listener: Listener<UseEventJson>): () => void {
  return added(useListeners, listener);
}

export function onRefusal(listener: Listener<RefusalEventJson>): () => void {
  return added(refusalListeners, listener);
}

/** Browsers do not reconnect after a response without a stream (session ended, server full). */
function later(): void {
  clearTimeout(retry);
  retry = setTimeout(startLive, retryMs);
  retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
}

function listen<T>(from: EventSource, name: string, listener: Listener<T>): void {
  from.addEventListener(name, (event: MessageEvent<string>) => listener(JSON.parse(event.data) as T));
}

function tell<T>(listeners: Set<Listener<T>>, event: T): void {
  for (const listener of listeners) listener(event);
}

function added<T>(listeners: Set<Listener<T>>, listener: Listener<T>): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
