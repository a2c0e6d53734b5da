/** A value, or a promise of it. */
export type MaybePromise<T> = T | Promise<T>;

/**
 * Goes on with a value at once where it is there, and later where it is a promise. For the hot path: an `await` of a
 * value that is there already costs a turn of the microtask queue each time.
 */
export function andThen<T, R>(value: MaybePromise<T>, step: (value: T) => MaybePromise<R>): MaybePromise<R> {
  return value instanceof Promise ? value.then(step) : step(value);
}
