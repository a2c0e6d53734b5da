import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { Notice } from './notice.tsx';

/** A list's filters: side by side on wide screens, folded on phones. */
export function Filters({ active, children }: { active: boolean; children: ComponentChildren }): JSX.Element {
  const wide = useMemo(() => matchMedia('(min-width: 52.01rem)'), []);
  const [isWide, setWide] = useState(wide.matches);
  useEffect(() => {
    const follow = () => setWide(wide.matches);
    wide.addEventListener('change', follow);
    return () => wide.removeEventListener('change', follow);
  }, [wide]);
  if (isWide) return <>{children}</>;
  return (
    <details class="filter-more">
      <summary>{active ? 'Filter (active)' : 'Filter'}</summary>
      <div class="filters">{children}</div>
    </details>
  );
}

/** Names the URL's unsupported parameters. */
export function DroppedParameters({ names }: { names: readonly string[] }): JSX.Element | null {
  if (names.length === 0) return null;
  return (
    <Notice kind="warn" title="Part of the address was ignored" alert>
      <p>
        The page does not support the address’s value of {names.map((name) => `“${name}”`).join(', ')} and
        uses the default.
      </p>
    </Notice>
  );
}
