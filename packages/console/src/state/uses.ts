import { useEffect, useState } from 'preact/hooks';
import type { CredentialUse, LiveRefusal } from '../api/types.ts';
import { onRefusal, onUse, watchApiUser } from './live.ts';

/** How one credential was used since one began to look. */
export interface SeenUse {
  at: string;
  address: string | null;
  /** Since then. */
  count: number;
}

export interface LiveUse {
  /** When one began to look, in milliseconds since 1970. */
  since: number;
  /** By the id of the credential. */
  credentials: ReadonlyMap<string, SeenUse>;
  /** By the start of the minute; the last hour. */
  minutes: SeenMinutes;
}

/** By the start of each minute. */
export type SeenMinutes = ReadonlyMap<number, SeenMinute>;

export const LIVE_SPAN_MS = 300_000;
const LIVE_SPAN_MS_MIN = 60_000;

/** What a live chart shows: what is known since `from`, a minute at least, five minutes at most. */
export function liveSpan(from: number, to: number): readonly [number, number] {
  return [Math.max(to - LIVE_SPAN_MS, Math.min(from, to - LIVE_SPAN_MS_MIN)), to];
}

function nothingYet(): LiveUse {
  return { since: Date.now(), credentials: new Map(), minutes: new Map() };
}

/** Follows what one API user does while the page is open. */
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

function withUse(live: LiveUse, use: CredentialUse): LiveUse {
  const before = live.credentials.get(use.credential_id);
  const seen = { at: use.at, address: use.address, count: (before?.count ?? 0) + use.count };
  return {
    ...live,
    credentials: new Map(live.credentials).set(use.credential_id, seen),
    minutes: withMinute(live.minutes, use.at, (minute) => ({ ...minute, tokens: minute.tokens + use.count })),
  };
}

function withRefusal(live: LiveUse, { reason, at, count }: LiveRefusal): LiveUse {
  const minutes = withMinute(live.minutes, at, (minute) => ({
    ...minute,
    refusals: { ...minute.refusals, [reason]: (minute.refusals[reason] ?? 0) + count },
  }));
  return { ...live, minutes };
}

const MINUTE_MS = 60_000;
const MINUTES_KEPT_MS = 60 * MINUTE_MS;

/** What one API user did in one minute. */
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
