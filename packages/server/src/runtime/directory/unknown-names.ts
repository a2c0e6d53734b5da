/** Names that the store does not know, remembered for a while so that asking again costs no look-up. */
export interface UnknownNames {
  has(name: string, nowMs: number): boolean;
  add(name: string, nowMs: number): void;
  clear(): void;
}

/** At most `max`: when it is full it begins anew, which costs look-ups and never a wrong answer. */
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
