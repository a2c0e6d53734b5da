import type { Clock } from './clock.ts';

export interface TimeLimit {
  readonly clock: Clock;
  /** In milliseconds. Default: no limit. */
  readonly ms?: number;
  /** The caller's signal; the promise rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** The timer does not keep the process alive. */
  readonly background?: boolean;
}

/** Name of the error on timeout, the same as of `AbortSignal.timeout`. */
export const TIMEOUT = 'TimeoutError';

/**
 * Settles like `work`, or rejects on timeout or abort, whichever comes first. `work` receives a signal to
 * stop. Even if it ignores the signal, the promise settles and no timer or listener remains.
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

/** Waits. Rejects with the signal's reason if it is aborted. */
export function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  const timer = (stop: AbortSignal) =>
    new Promise<void>((resolve) => stop.addEventListener('abort', clock.after(ms, resolve)));
  return within({ clock, signal }, timer);
}
