import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { request } from '../api/client.ts';
import { isPassing } from '../api/problem.ts';
import type { ChangeEventJson } from '../../../server/src/http/admin/event.wire.ts';
import { onChange } from './changes.ts';
import { present } from './presence.ts';

export interface Resource<T> {
  /** The last data; kept while reloading and after a failure. */
  data: T | undefined;
  etag: string | null;
  error: unknown;
  loading: boolean;
  reload(): void;
}

/** Changes that cause a reload. */
export interface Following {
  /** `*`: every noun. */
  noun: string;
  /** Only changes of this id. */
  id?: string;
}

const REMEMBERED_MAX = 100;
/** Minimum interval of reloads during many changes, such as an import. */
const RELOAD_MS_MIN = 1000;
export const RETRY_MS = 3000;

/** Data by path, so that a page appears at once when the operator returns to it. */
const remembered = new Map<string, { data: unknown; etag: string | null }>();

export function forgetAnswers(): void {
  remembered.clear();
}

/** The API's data at `path`, reloaded after every followed change. Null: nothing to load. */
export function useResource<T>(
  path: string | null,
  follow: readonly Following[] = [],
  /** Also reloads at this interval, for data without change events. */
  everyMs: number | null = null,
): Resource<T> {
  const [state, setState] = useState(() => initial<T>(path));
  const [reloads, setReloads] = useState(0);
  const shownPath = useRef(path);
  const reload = useCallback(() => setReloads((times) => times + 1), []);

  useEffect(() => {
    if (shownPath.current !== path) {
      shownPath.current = path;
      setState(initial<T>(path));
    }
    if (path === null) return undefined;
    const aborter = new AbortController();
    let retry: ReturnType<typeof setTimeout> | undefined;
    setState((before) => ({ ...before, loading: true }));
    const ask = async () => {
      try {
        const { data, etag } = await request<T>('GET', path, { signal: aborter.signal });
        if (aborter.signal.aborted) return;
        remember(path, data, etag);
        setState({ data, etag, error: undefined, loading: false });
      } catch (error) {
        if (aborter.signal.aborted) return;
        setState((before) => ({ ...before, error, loading: false }));
        if (isPassing(error)) retry = setTimeout(reload, RETRY_MS);
      }
    };
    void ask();
    return () => {
      aborter.abort();
      clearTimeout(retry);
    };
  }, [path, reloads, reload]);

  useEffect(() => {
    if (everyMs === null) return undefined;
    const timer = setInterval(() => {
      if (!document.hidden && present.get()) reload();
    }, everyMs);
    return () => clearInterval(timer);
  }, [everyMs, reload]);
  useReloads(follow, reload);
  return { ...state, reload };
}

/** Ignores an earlier page's data: undefined until the server responds to this page. */
export function useFresh<T>(resource: Resource<T>): Resource<T> {
  const answered = useRef(false);
  if (!resource.loading && resource.error === undefined) answered.current = true;
  return answered.current ? resource : { ...resource, data: undefined };
}

/** Calls `reload` after followed changes, at most once a second. */
export function useReloads(follow: readonly Following[], reload: () => void): void {
  const key = JSON.stringify(follow);
  useEffect(() => {
    const followed = JSON.parse(key) as Following[];
    if (followed.length === 0) return undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let lastMs = 0;
    const stop = onChange((change) => {
      const concerns = followed.some((one) => isFollowed(one, change));
      if (!concerns || timer !== undefined) return;
      timer = setTimeout(
        () => {
          timer = undefined;
          lastMs = Date.now();
          reload();
        },
        Math.max(0, lastMs + RELOAD_MS_MIN - Date.now()),
      );
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [key, reload]);
}

/** `*`: changes during an interruption of the stream are unknown and concern everything. */
function isFollowed({ noun, id }: Following, change: ChangeEventJson): boolean {
  if (change.noun === '*') return true;
  return (noun === '*' || noun === change.noun) && (id === undefined || id === change.id);
}

type State<T> = Omit<Resource<T>, 'reload'>;

function initial<T>(path: string | null): State<T> {
  const cached = path === null ? undefined : remembered.get(path);
  return {
    data: cached?.data as T | undefined,
    etag: cached?.etag ?? null,
    error: undefined,
    loading: path !== null,
  };
}

function remember(path: string, data: unknown, etag: string | null): void {
  remembered.delete(path);
  remembered.set(path, { data, etag });
  if (remembered.size <= REMEMBERED_MAX) return;
  const [oldest] = remembered.keys();
  if (oldest !== undefined) remembered.delete(oldest);
}
