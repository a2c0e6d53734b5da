/**
 * Yields the items of `source`, and lets it prepare the next one while the caller works on the last one. An
 * error of `source` comes after the items before it.
 */
export async function* readAhead<T>(source: AsyncGenerator<T>): AsyncGenerator<T, void, undefined> {
  let next = source.next();
  try {
    for (let item = await next; item.done !== true; item = await next) {
      next = source.next();
      next.catch(() => undefined); // the loop throws it later, unless the caller has stopped
      yield item.value;
    }
  } finally {
    // Not awaited: `source` may be waiting for input that never comes.
    source.return(undefined).catch(() => undefined);
  }
}
