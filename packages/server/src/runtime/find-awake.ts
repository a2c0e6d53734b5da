import type { Directory } from './directory/directory.ts';
import type { SleepWatch } from './sleep-watch.ts';

/**
 * A process that slept catches up first, since its API users are out of date. With a wrong clock, every
 * search is denied.
 */
export function findingAwake(
  directory: Pick<Directory, 'find'>,
  sleep: Pick<SleepWatch, 'catchingUp'>,
  clockIsOff: () => boolean,
): Directory['find'] {
  const find: Directory['find'] = (name, nowMs, again) =>
    clockIsOff() ? CLOCK_OFF : directory.find(name, nowMs, again);
  return (name, nowMs, again) =>
    sleep.catchingUp(nowMs)?.then(() => find(name, nowMs, again)) ?? find(name, nowMs, again);
}

const CLOCK_OFF = {
  denied: 'temporarily_unavailable',
  reason: 'the clock of this machine is wrong',
} as const;
