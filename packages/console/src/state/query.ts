import { useCallback } from 'preact/hooks';
import { useLocation } from 'preact-iso/router';
import { withQuery } from '../api/client.ts';

/** The URL's query as a page's state: it survives a reload and going back, and can be shared. */
export function useQuery(): [Readonly<Record<string, string>>, (changes: Record<string, string>) => void] {
  const { query, path, route } = useLocation();
  const set = useCallback(
    (changes: Record<string, string>) => {
      // Read the current query: two changes may come before the next rendering.
      const now = Object.fromEntries(new URLSearchParams(location.search));
      route(withQuery(path, { ...now, ...changes }), true);
    },
    [path, route],
  );
  return [query, set];
}
