import { useEffect, useState } from 'preact/hooks';
import type { RefusalEventJson, UseEventJson } from '../../../server/src/http/admin/event.wire.ts';
import { onRefusal, onUse, watchApiUser } from './live.ts';

/** Uses of one credential since the page opened. */
export interface SeenUse {
  at: string;
  address: string | null;
  /** Number of uses. */
  count: number;
}

export interface LiveUse {
  /** When the page opened, in milliseconds since 1970. */
  since: number;
  /** Uses by credential id. */
  credentials: ReadonlyMap<string, SeenUse>;
  /** Minutes of the last hour. */
  minutes: SeenMinutes;
}

/** Keys are the minutes' start times. */
export type SeenMinutes = ReadonlyMap<number, SeenMinute>;

export const LIVE_SPAN_MS = 300_000;
const LIVE_SPAN_MS_MIN = 60_000;

/** The time span of a live chart: from `from`, but at least one minute and at most five. */
export function liveSpan(from: number, to: number): readonly [number, number] {
  return [Math.max(to - LIVE_SPAN_MS, Math.min(from, to - LIVE_SPAN_MS_MIN)), to];
}

function nothingYet(): LiveUse {
  return { since: Date.now(), credentials: new Map(), minutes: new Map() };
}

/** Follows one API user's uses while the page is open. */
export function useLiveUse(clientId: string): LiveUse {
  const [live, setLive] = useState(nothingYet);
  useEffect(() => {
    setLive(nothingYet());
    watchApiUser(clientId);
    const stops = [
      onUse((use) => setLive((before) => withUse(before, use))),
      onRefusal((refusal) => setLive((before) => withRefusal(before, refusal))),
    ];
    return () => {
      for (const stop of stops) stop();
      watchApiUser(null);
    };
  }, [clientId]);
  return live;
}

function withUse(live: LiveUse, use: UseEventJson): LiveUse {
  const before = live.credentials.get(use.credential_id);
  const seen = { at: use.at, address: use.address, count: (before?.count ?? 0) + use.count };
  return {
    ...live,
    credentials: new Map(live.credentials).set(use.credential_id, seen),
    minutes: withMinute(live.minutes, use.at, (minute) => ({ ...minute, tokens: minute.tokens + use.count })),
  };
}

function withRefusal(live: LiveUse, { reason, at, count }: RefusalEventJson): LiveUse {
  const minutes = withMinute(live.minutes, at, (minute) => ({
    ...minute,
    refusals: { ...minute.refusals, [reason]: (minute.refusals[reason] ?? 0) + count },
  }));
  return { ...live, minutes };
}

const MINUTE_MS = 60_000;
const MINUTES_KEPT_MS = 60 * MINUTE_MS;

/** One API user's tokens and refusals in one minute. */
interface SeenMinute {
  tokens: number;
  refusals: Readonly<Record<string, number>>;
}

function withMinute(
  minutes: SeenMinutes,
  time: string,
  change: (minute: SeenMinute) => SeenMinute,
): SeenMinutes {
  const at = Math.floor(Date.parse(time) / MINUTE_MS) * MINUTE_MS;
  const kept = new Map([...minutes].filter(([start]) => start >= at - MINUTES_KEPT_MS));
  return kept.set(at, change(kept.get(at) ?? { tokens: 0, refusals: {} }));
}
