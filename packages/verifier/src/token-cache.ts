/**
 * A bounded map in two generations: when the young one is full, it replaces the old one. Entries in use move
 * to the young one for the cost of a look-up, without a list to update on each hit.
 */
export interface TokenCache<V> {
  get(key: string): V | undefined;
  set(key: string, value: V): void;
  delete(key: string): void;
  readonly size: number;
}

export function createTokenCache<V>(entriesMax: number): TokenCache<V> {
  const generationMax = Math.ceil(entriesMax / 2);
  let young = new Map<string, V>();
  let old = new Map<string, V>();

  function set(key: string, value: V): void {
    if (generationMax === 0) return;
    if (young.size >= generationMax) {
      old = young;
      young = new Map();
    }
    young.set(key, value);
  }

  return {
    get(key) {
      const value = young.get(key);
      if (value !== undefined) return value;
      const older = old.get(key);
      if (older === undefined) return undefined;
      old.delete(key);
      set(key, older);
      return older;
    },
    set,
    delete(key) {
      young.delete(key);
      old.delete(key);
    },
    get size() {
      return young.size + old.size;
    },
  };
}
