import type { Logger } from 'pino';
import type { Config } from '../../config/config.ts';
import {
  keySourceId,
  type KeySearch,
  type KeySource,
  type KeySourceState,
  type NamedKeySource,
  type TrustedKeySets,
} from '../../domain/key-source.ts';
import { createGuardedGet, type Resolve } from './guarded-get.ts';
import { createKeySources, type KeySources } from './key-sources.ts';
import { loadKeySet, type LoadedKeySet } from './load-key-set.ts';
import { createStoredKeys, removeUnnamed, type KeySourceStore } from './stored-keys.ts';

export interface TrustedKeys extends TrustedKeySets {
  /** Reads the key sources from the store, and fetches in the background what is due from now on. */
  start(): Promise<void>;
  /** Reads soon which key sources the live credentials name: a credential may have changed. */
  credentialsChanged(): void;
  states(nowMs: number): KeySourceState[];
  /** Fetches since the start of the process. */
  fetches(): { ok: number; failed: number };
  stop(): void;
}

export interface TrustedKeysParts {
  store: KeySourceStore;
  config: Config;
  log: Pick<Logger, 'info' | 'warn'>;
  /** At most `max` key sources that live credentials name, each once. */
  named(nowMs: number, max: number): Promise<readonly NamedKeySource[]>;
  /** Whether this process removes key sources from the store that no credential names. */
  maintains: boolean;
  now?: () => number;
  resolve?: Resolve;
}

/** How often this process checks which fetches are due. */
const TICK_MS = 1000;

const NONE: KeySearch = { none: true };
const TOO_MANY_SOURCES: KeySearch = { away: 'credentials name too many key sources' };

/** The public keys of other issuers and of API users, which this process fetches and holds. */
export function createTrustedKeys(parts: TrustedKeysParts): TrustedKeys {
  const { store, config, log, now = Date.now } = parts;
  const { load, counts } = countedLoad(parts);
  const stored = createStoredKeys(store, log);
  const waiters = { count: 0 };
  const sources = createKeySources({ load, stored, waiters, config, log, now }, config.keySourcesMax);
  const names = createNameReader(parts, sources, now);
  let inBackground = 0;
  let timer: NodeJS.Timeout | undefined;

  function tick(): void {
    const nowMs = now();
    names.readWhenDue(nowMs);
    for (const keys of sources.all()) {
      if (inBackground >= config.keyFetchesMax) return;
      const fetching = keys.refreshWhenDue(nowMs);
      if (fetching === null) continue;
      inBackground += 1;
      void fetching.finally(() => {
        inBackground -= 1;
      });
    }
  }

  const find: TrustedKeySets['find'] = (source, kid, algorithm, nowMs) =>
    sources.keysOf(source, nowMs)?.find(kid, algorithm, nowMs) ?? TOO_MANY_SOURCES;

  return {
    find,
    findNow: (source, kid, algorithm, nowMs) =>
      sources.keysOf(source, nowMs)?.findNow(kid, algorithm, nowMs) ?? TOO_MANY_SOURCES,
    findNamed(issuer, kid, algorithm, nowMs) {
      const source = sources.sourceOf(issuer);
      return source === undefined ? NONE : find(source, kid, algorithm, nowMs);
    },
    sourceOf: sources.sourceOf,
    async start() {
      await names.readFirst();
      timer = setInterval(tick, TICK_MS);
      timer.unref();
      tick();
    },
    credentialsChanged: names.changed,
    states: (nowMs) => sources.all().map((keys) => keys.state(nowMs)),
    fetches: () => counts,
    stop: () => clearInterval(timer),
  };
}

function countedLoad({ config, resolve }: TrustedKeysParts): {
  load(source: KeySource): Promise<LoadedKeySet>;
  counts: { ok: number; failed: number };
} {
  const get = createGuardedGet(config, resolve);
  const counts = { ok: 0, failed: 0 };
  return {
    counts,
    async load(source) {
      try {
        const loaded = await loadKeySet(source, get, config);
        counts.ok += 1;
        return loaded;
      } catch (error) {
        counts.failed += 1;
        throw error;
      }
    },
  };
}

/** Between two reads of the names: without a change, and after a change or a failure. */
const NAMES_EVERY_MS = 60_000;
const NAMES_SOON_MS = 5000;
/** The store keeps a key source that no credential names for this long after its last fetch. */
const UNNAMED_KEPT_MS = 3_600_000;

interface NameReader {
  readFirst(): Promise<void>;
  readWhenDue(nowMs: number): void;
  changed(): void;
}

/** Reads from the store which key sources the live credentials name. */
function createNameReader(parts: TrustedKeysParts, sources: KeySources, now: () => number): NameReader {
  const { store, config, log, named, maintains } = parts;
  let dueAt = 0;

  async function read(withRows: boolean): Promise<void> {
    const nowMs = now();
    dueAt = nowMs + NAMES_EVERY_MS;
    const rows = withRows ? await store.keySources.list(config.keySourcesMax) : [];
    const list = await named(nowMs, config.keySourcesMax);
    sources.replace(list, new Map(rows.map((row) => [keySourceId(row.source), row])), nowMs);
    const ids = new Set(list.map(({ source }) => keySourceId(source)));
    if (maintains) await removeUnnamed(store, ids, nowMs - UNNAMED_KEPT_MS);
  }

  async function readOrWarn(withRows: boolean): Promise<void> {
    try {
      await read(withRows);
    } catch (error) {
      soon();
      const message = 'the key sources of the credentials cannot be read, and are read again soon';
      log.warn({ error: (error as Error).message }, message);
    }
  }

  function soon(): void {
    dueAt = Math.min(dueAt, now() + NAMES_SOON_MS);
  }

  return {
    readFirst: () => readOrWarn(true),
    readWhenDue(nowMs) {
      if (nowMs >= dueAt || nowMs < dueAt - NAMES_EVERY_MS) void readOrWarn(false);
    },
    changed: soon,
  };
}
