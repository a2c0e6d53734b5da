import type { ComponentChildren, JSX } from 'preact';
import type { Resource } from '../state/resource.ts';
import { Button } from './button.tsx';
import { Failure } from './notice.tsx';

/** A resource's data, its error, or a placeholder. Marks data that may be outdated. */
export function Loaded<T>({
  from,
  size = 'text',
  children,
}: {
  from: Resource<T>;
  /** Approximate height of the content, so that the page does not jump. */
  size?: Size;
  children: (data: T) => ComponentChildren;
}): JSX.Element {
  const { data, error, loading, reload } = from;
  const failure = error !== undefined && (
    <Failure error={error}>
      <div>
        <Button small busy={loading} onClick={reload}>
          Try again
        </Button>
      </div>
    </Failure>
  );
  if (data === undefined) return <>{failure || <Skeleton size={size} />}</>;
  return (
    <>
      {failure}
      {children(data)}
    </>
  );
}

type Size = 'text' | 'line' | 'tall';

export function Skeleton({ size }: { size: Size }): JSX.Element {
  return (
    <div class={`skeleton ${size}`} aria-busy="true">
      Loading…
    </div>
  );
}
