import { CLOCK_FAR_MS, CLOCK_NOTICE_MS, CLOCK_RECORDED_MS } from './clock-watch.ts';
import type { ClockRows } from '../storage/tables/clock.ts';

/** A clock that is wrong, as the processes on a store recorded it. */
export interface ClockDifference {
  /** The process, or `the store` if all processes agree. */
  whose: string;
  detail: string;
}

/**
 * For the overview and `mintmark doctor`: the clocks that differ from the store's by more than five seconds.
 */
export async function clockDifferences(clock: Pick<ClockRows, 'recorded'>): Promise<ClockDifference[]> {
  const all = await clock.recorded(CLOCK_RECORDED_MS);
  const offsets = all.map(({ offsetMs }) => offsetMs);
  const [least, most] = [Math.min(...offsets), Math.max(...offsets)];
  if (
    all.length > 1 &&
    most - least <= CLOCK_FAR_MS &&
    Math.min(Math.abs(least), Math.abs(most)) > CLOCK_FAR_MS
  ) {
    const detail = `All processes agree that the clock of the store is ${differenceText(-least)} theirs: set it.`;
    return [{ whose: 'the store', detail }];
  }
  return all
    .filter(({ offsetMs }) => Math.abs(offsetMs) > CLOCK_NOTICE_MS)
    .map(({ process, offsetMs }) => ({
      whose: process,
      detail: `Its clock is ${differenceText(offsetMs)} that of the store: set it, and keep it set (chrony or systemd-timesyncd).`,
    }));
}

/** `3600 s ahead of`, `7 s behind`. */
export function differenceText(aheadMs: number): string {
  return `${Math.round(Math.abs(aheadMs) / 1000)} s ${aheadMs > 0 ? 'ahead of' : 'behind'}`;
}
