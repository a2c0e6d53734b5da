import { useCallback } from 'preact/hooks';
import { useLocation } from 'preact-iso/router';
import { withQuery } from '../api/client.ts';

/** The query of the address as the state of a page: it survives a reload, going back, and being sent to a colleague. */
export function useQuery(): [Readonly<Record<string, string>>, (changes: Record<string, string>) => void] {
  const { query, path, route } = useLocation();
  const set = useCallback(
    (changes: Record<string, string>) => {
      // The address as it is now: two changes may come before the next rendering.
      const now = Object.fromEntries(new URLSearchParams(location.search));
      route(withQuery(path, { ...now, ...changes }), true);
    },
    [path, route],
  );
  return [query, set];
}
