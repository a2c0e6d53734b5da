import { useEffect, useState } from 'preact/hooks';
import { createStore, useStore, type Store } from './store.ts';

const TICK_MS = 1000;

const seconds: Store<number> = createStore(Date.now());
let followers = 0;
let timer: ReturnType<typeof setInterval> | undefined;

/** The time, again each second while anybody asks for it. */
export function useNow(): number {
  useEffect(() => {
    followers += 1;
    seconds.set(Date.now());
    timer ??= setInterval(() => seconds.set(Date.now()), TICK_MS);
    return () => {
      followers -= 1;
      if (followers > 0) return;
      clearInterval(timer);
      timer = undefined;
    };
  }, []);
  return useStore(seconds);
}

/** A value as it was when it last stayed the same for `delayMs`. */
export function useSettled<T>(value: T, delayMs: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const waiting = setTimeout(() => setSettled(() => value), delayMs);
    return () => clearTimeout(waiting);
  }, [value, delayMs]);
  return settled;
}
