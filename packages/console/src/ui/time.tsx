import type { JSX } from 'preact';
import { dateTime, exactTime, fromNow } from '../format.ts';
import { useNow } from '../state/clock.ts';

/** How long ago, or in how long; exactly when, on hovering. */
export function Ago({
  at,
  never = 'never',
  seconds = false,
}: {
  at: string | null | undefined;
  /** Where there is no time. */
  never?: string;
  /** Counts each second; else it may be half a minute behind. */
  seconds?: boolean;
}): JSX.Element {
  const now = useNow(seconds ? 1000 : 30_000);
  if (at === null || at === undefined) return <span class="soft">{never}</span>;
  const time = Date.parse(at);
  return (
    <time dateTime={at} title={exactTime(time)} class="number">
      {fromNow(time, Math.max(now, Math.min(time, Date.now())))}
    </time>
  );
}

export function At({ at, exact = false }: { at: string; exact?: boolean }): JSX.Element {
  const time = Date.parse(at);
  return (
    <time dateTime={at} title={exactTime(time)} class="number">
      {exact ? exactTime(time) : dateTime(time)}
    </time>
  );
}
