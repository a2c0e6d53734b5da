import { useEffect, useRef, useState } from 'preact/hooks';
import { useSettled } from './clock.ts';

const TYPING_MS = 200;

/** A text while the operator types; `onSettled` receives it after a pause. Follows changes of `value`. */
export function useDraft(value: string, onSettled: (text: string) => void): [string, (text: string) => void] {
  const [text, setText] = useState(value);
  const settled = useSettled(text, TYPING_MS);
  const latest = useRef(onSettled);
  latest.current = onSettled;
  const reported = useRef(value);

  useEffect(() => {
    if (settled === reported.current) return;
    reported.current = settled;
    latest.current(settled);
  }, [settled]);
  useEffect(() => {
    if (value === reported.current) return;
    reported.current = value;
    setText(value);
  }, [value]);
  return [text, setText];
}
