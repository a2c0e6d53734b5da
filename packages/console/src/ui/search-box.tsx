import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { useDraft } from '../state/draft.ts';
import { Icon } from './icon.tsx';

/** Searches during typing. `/` focuses it from anywhere on the page. */
export function SearchBox(props: {
  label: string;
  placeholder: string;
  value: string;
  maxLength?: number;
  onSearch: (text: string) => void;
}): JSX.Element {
  const { label, placeholder, value, maxLength, onSearch } = props;
  const [text, setText] = useDraft(value, onSearch);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const focus = (event: KeyboardEvent) => {
      const typing =
        event.target instanceof Element && event.target.closest('input, textarea, select, dialog') !== null;
      if (event.key !== '/' || typing || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      input.current?.focus();
    };
    addEventListener('keydown', focus);
    return () => removeEventListener('keydown', focus);
  }, []);
  return (
    <div class="search">
      <Icon name="search" />
      <input
        ref={input}
        type="search"
        aria-label={label}
        placeholder={placeholder}
        value={text}
        maxLength={maxLength}
        autocomplete="off"
        autocapitalize="none"
        spellcheck={false}
        onInput={(event) => setText(event.currentTarget.value)}
      />
    </div>
  );
}
