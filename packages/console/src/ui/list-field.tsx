import type { JSX } from 'preact';
import { useContext, useId, useState } from 'preact/hooks';
import { Button } from './button.tsx';
import { Field, type FieldProps } from './field.tsx';
import { MarkEdited } from './form.tsx';
import { Icon } from './icon.tsx';

/** Short texts (scopes, networks) as chips: Enter adds one, its button removes it. */
export function ListField(
  props: FieldProps & {
    items: readonly string[];
    onInput: (items: string[]) => void;
    placeholder?: string;
    /** A noun such as "scope", for the buttons' labels. */
    noun: string;
  },
): JSX.Element {
  const { items, onInput, noun } = props;
  const [text, setText] = useState('');
  const listId = useId();
  const markEdited = useContext(MarkEdited);
  const add = () => {
    const added = text.split(/[\s,]+/).filter((item) => item !== '' && !items.includes(item));
    if (added.length > 0) onInput([...items, ...new Set(added)]);
    setText('');
  };
  return (
    <div class="stack tight">
      <Field {...props}>
        {(described) => (
          <div class="with-button">
            <input
              {...described}
              value={text}
              class="mono"
              placeholder={props.placeholder}
              autocomplete="off"
              autocapitalize="none"
              spellcheck={false}
              onInput={(event) => setText(event.currentTarget.value)}
              onBlur={add}
              onKeyDown={(event) => {
                if (event.key !== 'Enter' || text.trim() === '') return;
                event.preventDefault();
                add();
              }}
            />
            <Button onClick={add}>
              Add<span class="unseen"> {noun}</span>
            </Button>
          </div>
        )}
      </Field>
      {items.length > 0 && (
        <ul class="chips" id={listId} aria-label={props.label}>
          {items.map((item) => (
            <li class="chip" key={item}>
              {item}
              <button
                type="button"
                aria-label={`Remove ${noun} ${item}`}
                onClick={() => {
                  markEdited();
                  onInput(items.filter((other) => other !== item));
                }}
              >
                <Icon name="close" size={12} />
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

export function Chips({ items, none }: { items: readonly string[]; none: string }): JSX.Element {
  if (items.length === 0) return <span class="soft">{none}</span>;
  return (
    <ul class="chips">
      {items.map((item) => (
        <li class="chip" key={item}>
          {item}
        </li>
      ))}
    </ul>
  );
}
