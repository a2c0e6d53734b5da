import { useEffect, useState } from 'preact/hooks';
import { createStore, useStore, type Store } from './store.ts';

interface Clock {
  time: Store<number>;
  followers: number;
  timer: ReturnType<typeof setInterval> | undefined;
}

const clocks = new Map<number, Clock>();

/** The current time, updated every `stepMs`. Components with the same step share a timer. */
export function useNow(stepMs: 1000 | 30_000): number {
  const clock = clockOf(stepMs);
  useEffect(() => {
    clock.followers += 1;
    clock.time.set(Date.now());
    clock.timer ??= setInterval(() => clock.time.set(Date.now()), stepMs);
    return () => {
      clock.followers -= 1;
      if (clock.followers > 0) return;
      clearInterval(clock.timer);
      clock.timer = undefined;
    };
  }, [clock, stepMs]);
  return useStore(clock.time);
}

function clockOf(stepMs: number): Clock {
  const existing = clocks.get(stepMs);
  if (existing !== undefined) return existing;
  const clock: Clock = { time: createStore(Date.now()), followers: 0, timer: undefined };
  clocks.set(stepMs, clock);
  return clock;
}

/** The value after `delayMs` without a change. */
export function useSettled<T>(value: T, delayMs: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const waiting = setTimeout(() => setSettled(() => value), delayMs);
    return () => clearTimeout(waiting);
  }, [value, delayMs]);
  return settled;
}
