import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { Problem } from '../api/problem.ts';

export interface Action<Args extends unknown[]> {
  run(...args: Args): void;
  busy: boolean;
  error: unknown;
  /** The server's fault for one member of the request. */
  errorOf(pointer: string): string | null;
  clear(): void;
}

/** An operator's action: runs once at a time and keeps its error. */
export function useAction<Args extends unknown[]>(work: (...args: Args) => Promise<void>): Action<Args> {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(undefined);
  const running = useRef(false);
  const shown = useRef(true);
  const latest = useRef(work);
  latest.current = work;

  useEffect(
    () => () => {
      shown.current = false;
    },
    [],
  );

  const run = useCallback((...args: Args) => {
    if (running.current) return;
    running.current = true;
    setBusy(true);
    setError(undefined);
    latest
      .current(...args)
      .catch((thrown: unknown) => {
        if (shown.current) setError(thrown);
      })
      .finally(() => {
        running.current = false;
        if (shown.current) setBusy(false);
      });
  }, []);

  return {
    run,
    busy,
    error,
    errorOf: (pointer) => (error instanceof Problem ? error.of(pointer) : null),
    clear: () => setError(undefined),
  };
}
