import type { JSX } from 'preact';
import { dateTime, exactTime, fromNow } from '../format.ts';
import { useNow } from '../state/clock.ts';

/** A relative time; hovering shows the exact one. */
export function Ago({
  at,
  never = 'never',
  seconds = false,
}: {
  at: string | null | undefined;
  /** Text without a time. */
  never?: string;
  /** Updates every second; default every 30 seconds. */
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
