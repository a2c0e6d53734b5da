import { useEffect, useRef, useState } from 'preact/hooks';
import { useSettled } from './clock.ts';

const TYPING_MS = 200;

/** A text while the operator types; `onSettled` receives it after a pause. Follows changes of `value`. */
export function useDraft(value: string, onSettled: (text: string) => void): [string, (text: string) => void] {
  const [text, setText] = useState(value);
  const settled = useSettled(text, TYPING_MS);
  const latest = useRef(onSettled);
  latest.current = onSettled;
  const told = useRef(value);

  useEffect(() => {
    if (settled === told.current) return;
    told.current = settled;
    latest.current(settled);
  }, [settled]);
  useEffect(() => {
    if (value === told.current) return;
    told.current = value;
    setText(value);
  }, [value]);
  return [text, setText];
}
