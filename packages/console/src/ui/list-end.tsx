import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { whole } from '../format.ts';
import type { Pages } from '../state/pages.ts';
import { Button } from './button.tsx';
import { Failure } from './notice.tsx';

/** The end of a growing list: loads more when scrolled into view, or by a button. */
export function ListEnd<T>({ of, narrow }: { of: Pages<T>; narrow: string }): JSX.Element | null {
  const { items, hasMore, isFull, loading, searching, error, more, stop, reload } = of;
  const end = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = end.current;
    if (element === null || !hasMore || error !== undefined) return undefined;
    const observer = new IntersectionObserver(
      (entries) => entries.some((entry) => entry.isIntersecting) && more(),
      {
        rootMargin: '600px',
      },
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, [hasMore, more, error, items.length]);
  return (
    <div class="list-end" ref={end}>
      {error !== undefined && (
        <Failure error={error}>
          <div>
            <Button small onClick={items.length === 0 ? reload : more}>
              Try again
            </Button>
          </div>
        </Failure>
      )}
      {searching && (
        <p class="soft" role="status">
          Still searching…
        </p>
      )}
      {searching && (
        <Button small onClick={stop}>
          Stop
        </Button>
      )}
      {hasMore && !loading && items.length === 0 && error === undefined && (
        <p class="soft" role="status">
          Nothing found yet. The search is not complete.
        </p>
      )}
      {hasMore && !searching && error === undefined && (
        <Button small busy={loading} onClick={more}>
          {items.length === 0 ? 'Look further' : 'Show more'}
        </Button>
      )}
      {isFull && (
        <p class="soft">
          These are the first {whole(items.length)}. {narrow}
        </p>
      )}
    </div>
  );
}
