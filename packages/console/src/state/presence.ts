import { createStore, type Store } from './store.ts';

/**
 * Whether the operator is active. Polling would keep a session open as long as the screen is on. After a time
 * without mouse, keyboard or touch, polling stops and the session can expire.
 */
export const present: Store<boolean> = createStore(true);

const ABSENT_MS = 600_000;

let timer: ReturnType<typeof setTimeout> | undefined;

/** Starts to watch the operator's input. */
export function watchPresence(): void {
  const seen = () => {
    present.set(true);
    clearTimeout(timer);
    timer = setTimeout(() => present.set(false), ABSENT_MS);
  };
  for (const event of ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart', 'focus']) {
    addEventListener(event, seen, { passive: true });
  }
  seen();
}
