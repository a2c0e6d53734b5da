import type { Clock } from './clock.ts';

export interface TimeLimit {
  readonly clock: Clock;
  /** Without it there is only the signal. */
  readonly ms?: number;
  /** The caller's own way to stop; its reason is what the promise rejects with. */
  readonly signal?: AbortSignal | undefined;
  /** True when nobody waits: the timer does not keep the process alive. */
  readonly background?: boolean;
}

/** What `within` rejects with when the time is up; the same name as of `AbortSignal.timeout`. */
export const TIMEOUT = 'TimeoutError';

/**
 * Settles as `work` does, or rejects when the time is up or the caller aborts, whichever comes first. `work` is given a
 * signal that tells it to stop; whether it listens or not, the promise is settled and no timer or listener is left.
 */
export function within<T>(
  { clock, ms, signal, background }: TimeLimit,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    if (signal?.aborted) throw signal.reason;
    const stop = new AbortController();
    const leave = () => {
      if (cancel) cancel();
      signal?.removeEventListener('abort', onAbort);
    };
    const giveUp = (reason: unknown) => {
      leave();
      reject(reason);
      stop.abort(reason);
    };
    const onAbort = () => giveUp(signal?.reason);
    const timeIsUp = () => giveUp(new DOMException(`Over ${ms} ms`, TIMEOUT));
    const cancel = ms && clock.after(ms, timeIsUp, background);
    signal?.addEventListener('abort', onAbort);
    work(stop.signal).then(resolve, reject).finally(leave);
  });
}

/** Waits, and rejects with the signal's reason when it is aborted meanwhile. */
export function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  const timer = (stop: AbortSignal) =>
    new Promise<void>((resolve) => stop.addEventListener('abort', clock.after(ms, resolve)));
  return within({ clock, signal }, timer);
}
