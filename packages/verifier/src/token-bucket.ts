/** Takes one token from a bucket that refills over time; false if it is empty. Times in milliseconds. */
export function createTokenBucket(capacity: number, refillMs: number): (nowMs: number) => boolean {
  let left = capacity;
  let countedMs: number | undefined;

  return (nowMs) => {
    countedMs ??= nowMs;
    // After the clock is set back, refill from the new time on.
    if (nowMs < countedMs) countedMs = nowMs;
    const refills = Math.floor((nowMs - countedMs) / refillMs);
    left = Math.min(capacity, left + refills);
    countedMs = left === capacity ? nowMs : countedMs + refills * refillMs;
    if (left === 0) return false;
    left -= 1;
    return true;
  };
}
