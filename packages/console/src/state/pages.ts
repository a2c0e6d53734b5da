import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { get, withQuery } from '../api/client.ts';
import { site } from '../site.ts';
import { isPassing } from '../api/problem.ts';
import type { Page } from '../../../server/src/http/admin/schema.ts';
import { RETRY_MS, useReloads, type Following } from './resource.ts';

export interface Pages<T> {
  items: readonly T[];
  /** More items exist and can be loaded. */
  hasMore: boolean;
  /** More items exist than one list shows. */
  isFull: boolean;
  /** The first page has been loaded. */
  loaded: boolean;
  loading: boolean;
  /** The last page had few of many items: the next pages load automatically. */
  searching: boolean;
  error: unknown;
  /** Items changed since; a short list reloads automatically. */
  stale: boolean;
  more(): void;
  /** Stops the search; `more` continues it. */
  stop(): void;
  reload(): void;
}

const PAGE = 50;
/** Above this, searching is faster than scrolling. */
const ITEMS_MAX = 1000;

interface State<T> {
  of: string;
  items: readonly T[];
  next: string | null;
  loaded: boolean;
  loading: boolean;
  searching: boolean;
  error: unknown;
  stale: boolean;
}

/** A list that loads pages as it is scrolled. `path` may have a query. */
export function usePages<T>(path: string, follow: readonly Following[] = []): Pages<T> {
  const [state, setState] = useState<State<T>>(() => blank(path));
  const [reloads, setReloads] = useState(0);
  const latest = useRef(state);
  latest.current = state;
  const under = useRef<AbortController>(undefined);
  const retry = useRef<ReturnType<typeof setTimeout>>(undefined);

  const load = useCallback(
    async (after: string | null, itemsSoFar = 0): Promise<void> => {
      under.current?.abort();
      clearTimeout(retry.current);
      const aborter = new AbortController();
      under.current = aborter;
      setState((before) => ({ ...before, loading: true, error: undefined }));
      const [bare = '', query = ''] = path.split('?');
      const url = withQuery(bare, { ...Object.fromEntries(new URLSearchParams(query)), limit: PAGE, after });
      try {
        const page = await get<Page<T>>(url, aborter.signal);
        if (aborter.signal.aborted) return;
        const seen = itemsSoFar + page.items.length;
        const searching = page.next !== null && seen < PAGE;
        setState((before) => ({
          of: path,
          items: after === null ? page.items : [...before.items, ...page.items],
          next: page.next,
          loaded: true,
          loading: searching,
          searching,
          error: undefined,
          stale: false,
        }));
        // A page may end early if few of very many items match.
        if (searching) await load(page.next, seen);
      } catch (error) {
        if (aborter.signal.aborted) return;
        setState((before) => ({ ...before, loading: false, searching: false, error }));
        if (isPassing(error)) retry.current = setTimeout(() => void load(after, itemsSoFar), RETRY_MS);
      }
    },
    [path],
  );

  // Old items stay until the new ones arrive, so that nothing flickers during typing.
  useEffect(() => {
    void load(null);
    return () => {
      under.current?.abort();
      clearTimeout(retry.current);
    };
  }, [load, reloads]);

  const reload = useCallback(() => setReloads((times) => times + 1), []);
  const changed = useCallback(() => {
    if (latest.current.items.length <= PAGE) reload();
    // Without a stream, nothing says whether a long list changed.
    else if (site.kind === 'console') setState((before) => ({ ...before, stale: true }));
  }, [reload]);
  useReloads(follow, changed);

  const more = useCallback(() => {
    const { next, loading, items, of } = latest.current;
    if (next !== null && !loading && items.length < ITEMS_MAX && of === path) void load(next);
  }, [load, path]);

  const stop = useCallback(() => {
    under.current?.abort();
    setState((before) => ({ ...before, loading: false, searching: false }));
  }, []);

  const { items, next, loaded, loading, searching, error, stale } = state;
  const isFull = next !== null && items.length >= ITEMS_MAX;
  const hasMore = next !== null && !isFull;
  return { items, hasMore, isFull, loaded, loading, searching, error, stale, more, stop, reload };
}

function blank<T>(path: string): State<T> {
  const nothing = { items: [], next: null, loaded: false, searching: false, error: undefined, stale: false };
  return { of: path, loading: true, ...nothing };
}
