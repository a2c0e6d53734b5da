/** Takes from a bucket that refills with time; false: it is empty. Times in milliseconds. */
export function createTokenBucket(capacity: number, refillMs: number): (nowMs: number) => boolean {
  let left = capacity;
  let countedMs: number | undefined;

  return (nowMs) => {
    countedMs ??= nowMs;
    // A clock that was set back refills nothing, and must not stop the refill until it has caught up.
    if (nowMs < countedMs) countedMs = nowMs;
    const refills = Math.floor((nowMs - countedMs) / refillMs);
    left = Math.min(capacity, left + refills);
    countedMs = left === capacity ? nowMs : countedMs + refills * refillMs;
    if (left === 0) return false;
    left -= 1;
    return true;
  };
}
