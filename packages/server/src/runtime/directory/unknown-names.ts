/** Names that the store does not have, remembered for a while so that a repeated request costs no look-up. */
export interface UnknownNames {
  has(name: string, nowMs: number): boolean;
  add(name: string, nowMs: number): void;
  clear(): void;
}

/** Remembers at most `max` names; then all are forgotten, which costs look-ups but never a wrong answer. */
export function createUnknownNames(max: number, ttlMs: number): UnknownNames {
  const since = new Map<string, number>();
  return {
    has(name, nowMs) {
      const at = since.get(name);
      return at !== undefined && nowMs - at < ttlMs;
    },
    add(name, nowMs) {
      if (since.size >= max) since.clear();
      since.set(name, nowMs);
    },
    clear: () => since.clear(),
  };
}
