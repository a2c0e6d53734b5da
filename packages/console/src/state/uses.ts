import { useEffect, useState } from 'preact/hooks';
import type { CredentialUse, LiveRefusal } from '../api/types.ts';
import { useNow } from './clock.ts';
import { onRefusal, onUse, watchApiUser } from './live.ts';

/** How one credential was used since one began to look. */
export interface SeenUse {
  at: string;
  address: string | null;
  /** Since then. */
  count: number;
}

/** What one API user did in one second. */
export interface LiveSecond {
  /** Milliseconds since 1970, a whole second. */
  at: number;
  tokens: number;
  refusals: Readonly<Record<string, number>>;
}

export interface LiveUse {
  /** When one began to look, in milliseconds since 1970. */
  since: number;
  /** By the id of the credential. */
  credentials: ReadonlyMap<string, SeenUse>;
  /** The last five minutes, in which something happened, oldest first. */
  seconds: readonly LiveSecond[];
}

export const LIVE_SPAN_MS = 300_000;
const LIVE_SPAN_MS_MIN = 60_000;

/** What a live chart shows: what is known since `from`, a minute at least, five minutes at most. */
export function liveSpan(from: number, to: number): readonly [number, number] {
  return [Math.max(to - LIVE_SPAN_MS, Math.min(from, to - LIVE_SPAN_MS_MIN)), to];
}

function nothingYet(): LiveUse {
  return { since: Date.now(), credentials: new Map(), seconds: [] };
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

/** The last five minutes, as far as one looked, second by second, zeros included: what a chart wants. */
export function useLiveSeconds({ seconds, since }: LiveUse): LiveSecond[] {
  const now = useNow(1000);
  const last = Math.floor(now / 1000) * 1000 - 1000;
  const known = new Map(seconds.map((second) => [second.at, second]));
  const first = Math.max(Math.floor(since / 1000) * 1000, last - LIVE_SPAN_MS);
  return Array.from({ length: Math.max(0, (last - first) / 1000) }, (_, i) => {
    const at = first + 1000 * (i + 1);
    return known.get(at) ?? { at, tokens: 0, refusals: {} };
  });
}

function withUse(live: LiveUse, use: CredentialUse): LiveUse {
  const before = live.credentials.get(use.credential_id);
  const seen = { at: use.at, address: use.address, count: (before?.count ?? 0) + use.count };
  return {
    ...live,
    credentials: new Map(live.credentials).set(use.credential_id, seen),
    seconds: withSecond(live.seconds, use.at, (second) => ({ ...second, tokens: second.tokens + use.count })),
  };
}

function withRefusal(live: LiveUse, { reason, at, count }: LiveRefusal): LiveUse {
  const seconds = withSecond(live.seconds, at, (second) => ({
    ...second,
    refusals: { ...second.refusals, [reason]: (second.refusals[reason] ?? 0) + count },
  }));
  return { ...live, seconds };
}

function withSecond(
  seconds: readonly LiveSecond[],
  time: string,
  change: (second: LiveSecond) => LiveSecond,
): LiveSecond[] {
  const at = Math.floor(Date.parse(time) / 1000) * 1000;
  const found = seconds.find((second) => second.at === at) ?? { at, tokens: 0, refusals: {} };
  const others = seconds.filter((second) => second.at !== at && second.at > at - LIVE_SPAN_MS);
  return [...others, change(found)].sort((a, b) => a.at - b.at);
}
