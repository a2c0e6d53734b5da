import { keySourceId, type KeySource, type NamedKeySource } from '../../domain/key-source.ts';
import type { StoredKeySource } from '../../storage/tables/key-source.ts';
import { createSourceKeys, type SourceKeys, type SourceKeysParts } from './source-keys.ts';

/** The key sources of this process. */
export interface KeySources {
  /** The keys of a source, which is added if it is new; null: there are too many sources. */
  keysOf(source: KeySource, nowMs: number): SourceKeys | null;
  /** A source of an issuer that a live trust rule names. */
  sourceOf(issuer: string): KeySource | undefined;
  /** Replaces the sources that live credentials name. `rows`: the sources in the store, by id. */
  replace(list: readonly NamedKeySource[], rows: ReadonlyMap<string, StoredKeySource>, nowMs: number): void;
  all(): SourceKeys[];
}

interface Entry {
  keys: SourceKeys;
  /** The time of the last search for a key in the source. */
  searchedAt: number;
}

/** A source that no credential names stays for this long after its last search. */
const SEARCHED_KEPT_MS = 120_000;

export function createKeySources(parts: SourceKeysParts, max: number): KeySources {
  const entries = new Map<string, Entry>();
  let issuers: ReadonlyMap<string, KeySource> = new Map();

  function add(source: KeySource, searchedAt: number, row?: StoredKeySource): Entry {
    const entry = { keys: createSourceKeys(source, parts, row), searchedAt };
    entries.set(keySourceId(source), entry);
    return entry;
  }

  return {
    keysOf(source, nowMs) {
      const entry = entries.get(keySourceId(source)) ?? (entries.size < max ? add(source, nowMs) : null);
      if (entry !== null) entry.searchedAt = nowMs;
      return entry?.keys ?? null;
    },
    sourceOf: (issuer) => issuers.get(issuer),
    replace(list, rows, nowMs) {
      const ids = new Set(list.map(({ source }) => keySourceId(source)));
      for (const [id, { searchedAt }] of entries)
        if (!ids.has(id) && searchedAt < nowMs - SEARCHED_KEPT_MS) entries.delete(id);
      for (const { source } of list) {
        const id = keySourceId(source);
        if (!entries.has(id) && entries.size < max) add(source, Number.NEGATIVE_INFINITY, rows.get(id));
      }
      const named = list.filter(({ issuer }) => issuer !== null).toReversed();
      issuers = new Map(named.map(({ source, issuer }) => [issuer ?? '', source]));
    },
    all: () => Array.from(entries.values(), ({ keys }) => keys),
  };
}
