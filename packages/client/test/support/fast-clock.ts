import type { Clock } from '../../src/index.ts';

/** A clock that runs `factor` times as fast as the real one, so that minutes of a token's life pass in seconds. */
export function fastClock(factor: number): Clock {
  const start = Date.now();
  const begun = performance.now();
  return {
    now: () => start + (performance.now() - begun) * factor,
    after(ms, run, background = false) {
      const timer = setTimeout(run, ms / factor);
      if (background) timer.unref();
      return () => clearTimeout(timer);
    },
  };
}
