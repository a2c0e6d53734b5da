import { createStore, type Store } from './store.ts';

/**
 * Whether somebody is there. A page that asks for news by itself would keep a session open for as long as the screen is on;
 * so without a hand on mouse, keyboard or screen for a while it asks no more, and the session ends for want of use.
 */
export const present: Store<boolean> = createStore(true);

const ABSENT_MS = 600_000;

let timer: ReturnType<typeof setTimeout> | undefined;

/** Begins to look for a hand. */
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
