import type { ComponentChildren, JSX } from 'preact';
import { useId, useState } from 'preact/hooks';
import { Button } from './button.tsx';
import { Icon } from './icon.tsx';

export interface FieldProps {
  label: string;
  hint?: ComponentChildren;
  /** The fault and how to correct it. */
  error?: string | null;
  optional?: boolean;
  /** The label is for screen readers only. */
  unseenLabel?: boolean;
}

interface Described {
  id: string;
  'aria-describedby': string | undefined;
  'aria-invalid': 'true' | undefined;
}

/** Preact's types require one literal type per element. */
function inputType(type: string): 'text' {
  return type as 'text';
}

/** A control with label, hint and error, connected for screen readers. */
export function Field({
  label,
  hint,
  error,
  optional = false,
  unseenLabel = false,
  children,
}: FieldProps & { children: (described: Described) => ComponentChildren }): JSX.Element {
  const id = useId();
  const hasError = error !== undefined && error !== null;
  const described = [hint === undefined ? '' : `${id}-hint`, hasError ? `${id}-error` : '']
    .filter(Boolean)
    .join(' ');
  return (
    <div class="field">
      <label for={id} class={unseenLabel ? 'unseen' : undefined}>
        {label} {optional && <span class="optional">(optional)</span>}
      </label>
      {children({
        id,
        'aria-describedby': described === '' ? undefined : described,
        'aria-invalid': hasError ? 'true' : undefined,
      })}
      {hint !== undefined && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {hasError && (
        <p class="field-error" id={`${id}-error`}>
          <Icon name="warning" />
          {error}
        </p>
      )}
    </div>
  );
}

export interface TextFieldProps extends FieldProps {
  value: string;
  onInput: (value: string) => void;
  type?: 'text' | 'email' | 'number' | 'search' | 'datetime-local';
  autocomplete?: 'off' | 'username' | 'email' | 'one-time-code';
  inputMode?: 'text' | 'numeric' | 'email' | 'url';
  placeholder?: string;
  required?: boolean;
  maxLength?: number;
  min?: number | string;
  max?: number | string;
  mono?: boolean;
  /** Suggestions while typing. */
  suggestions?: readonly string[];
  autofocus?: boolean;
  name?: string;
}

export function TextField(props: TextFieldProps): JSX.Element {
  const { value, onInput, type = 'text', mono = false, autofocus = false, suggestions = [] } = props;
  const listId = useId();
  const focusOnce = (element: HTMLInputElement | null) => {
    if (autofocus && element !== null && !element.dataset['focused']) {
      element.dataset['focused'] = 'once';
      element.focus();
    }
  };
  return (
    <Field {...props}>
      {(described) => (
        <>
          <input
            {...described}
            ref={focusOnce}
            list={suggestions.length > 0 ? listId : undefined}
            type={inputType(type)}
            value={value}
            class={mono ? 'mono' : undefined}
            name={props.name}
            autocomplete={props.autocomplete ?? 'off'}
            inputMode={props.inputMode}
            placeholder={props.placeholder}
            required={props.required}
            maxLength={props.maxLength}
            min={props.min}
            max={props.max}
            spellcheck={false}
            onInput={(event) => onInput(event.currentTarget.value)}
          />
          {suggestions.length > 0 && (
            <datalist id={listId}>
              {suggestions.map((text) => (
                <option key={text} value={text} />
              ))}
            </datalist>
          )}
        </>
      )}
    </Field>
  );
}

/** A whole number of at least 1; null: empty. */
export function NumberField(props: {
  label: string;
  hint: string;
  value: number | null;
  onInput: (value: number | null) => void;
  error: string | null;
  isRequired?: boolean;
}): JSX.Element {
  const { label, hint, value, onInput, error, isRequired = false } = props;
  return (
    <TextField
      label={label}
      hint={hint}
      type="number"
      inputMode="numeric"
      min={isRequired ? 0 : 1}
      optional={!isRequired}
      required={isRequired}
      value={value === null ? '' : String(value)}
      onInput={(text) => onInput(text === '' ? null : Number(text))}
      error={error}
    />
  );
}

export function TextAreaField(
  props: FieldProps & {
    value: string;
    onInput: (value: string) => void;
    rows: number;
    placeholder?: string;
    required?: boolean;
    maxLength?: number;
  },
): JSX.Element {
  return (
    <Field {...props}>
      {(described) => (
        <textarea
          {...described}
          class="mono"
          rows={props.rows}
          value={props.value}
          placeholder={props.placeholder}
          required={props.required}
          maxLength={props.maxLength}
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          onInput={(event) => props.onInput(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}

export function PasswordField(
  props: FieldProps & {
    value: string;
    onInput: (value: string) => void;
    autocomplete: 'current-password' | 'new-password';
  },
): JSX.Element {
  const [shown, setShown] = useState(false);
  return (
    <Field {...props}>
      {(described) => (
        <div class="with-button">
          <input
            {...described}
            type={inputType(shown ? 'text' : 'password')}
            value={props.value}
            autocomplete={props.autocomplete}
            required
            spellcheck={false}
            autocapitalize="none"
            onInput={(event) => props.onInput(event.currentTarget.value)}
          />
          <Button onClick={() => setShown(!shown)}>
            {shown ? 'Hide' : 'Show'}
            <span class="unseen"> what is typed as {props.label.toLowerCase()}</span>
          </Button>
        </div>
      )}
    </Field>
  );
}

/** Tells password managers which account a form belongs to. */
export function UsernameForManagers({ email }: { email: string }): JSX.Element {
  return (
    <input
      class="unseen"
      type="text"
      name="email"
      autocomplete="username"
      value={email}
      readOnly
      tabIndex={-1}
      aria-hidden="true"
    />
  );
}

export interface Option {
  value: string;
  text: string;
}

export function SelectField(
  props: FieldProps & { value: string; options: readonly Option[]; onInput: (value: string) => void },
): JSX.Element {
  return (
    <Field {...props}>
      {(described) => (
        <select
          {...described}
          value={props.value}
          onChange={(event) => props.onInput(event.currentTarget.value)}
        >
          {props.options.map(({ value, text }) => (
            <option key={value} value={value} selected={value === props.value}>
              {text}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

export function CheckField(props: {
  label: ComponentChildren;
  hint?: ComponentChildren;
  checked: boolean;
  onInput: (checked: boolean) => void;
}): JSX.Element {
  return (
    <label class="choice">
      <input
        type="checkbox"
        checked={props.checked}
        onChange={(event) => props.onInput(event.currentTarget.checked)}
      />
      <span>
        {props.label}
        {props.hint !== undefined && <span class="hint">{props.hint}</span>}
      </span>
    </label>
  );
}

/** Any number of options. */
export function ChecksField(props: {
  label: string;
  options: readonly string[];
  chosen: readonly string[];
  onInput: (chosen: string[]) => void;
  /** Shown without options. */
  none: string;
  error?: string | null;
}): JSX.Element {
  const { label, options, chosen, onInput, none, error = null } = props;
  const id = useId();
  return (
    <fieldset class="choices" aria-describedby={error === null ? undefined : id}>
      <legend class="label">{label}</legend>
      {options.length === 0 && <p class="soft">{none}</p>}
      {options.map((option) => (
        <CheckField
          key={option}
          label={<code class="breakable">{option}</code>}
          checked={chosen.includes(option)}
          onInput={(checked) =>
            onInput(options.filter((one) => (one === option ? checked : chosen.includes(one))))
          }
        />
      ))}
      {error !== null && (
        <p class="field-error" id={id}>
          <Icon name="warning" />
          {error}
        </p>
      )}
    </fieldset>
  );
}

export interface Choice<T extends string> {
  value: T;
  text: ComponentChildren;
  hint?: ComponentChildren;
}

/** A choice among options with a description each. */
export function ChoiceField<T extends string>(props: {
  label: string;
  value: T;
  choices: readonly Choice<T>[];
  onInput: (value: T) => void;
}): JSX.Element {
  const name = useId();
  return (
    <fieldset class="choices">
      <legend class="label">{props.label}</legend>
      {props.choices.map(({ value, text, hint }) => (
        <label class="choice" key={value}>
          <input
            type="radio"
            name={name}
            value={value}
            checked={value === props.value}
            onChange={() => props.onInput(value)}
          />
          <span>
            {text}
            {hint !== undefined && <span class="hint">{hint}</span>}
          </span>
        </label>
      ))}
    </fieldset>
  );
}

/** A choice among a few options, side by side. */
export function Segments<T extends string>(props: {
  label: string;
  value: T;
  options: readonly { value: T; text: string }[];
  onInput: (value: T) => void;
}): JSX.Element {
  const name = useId();
  return (
    <fieldset class="segments">
      <legend class="unseen">{props.label}</legend>
      {props.options.map(({ value, text }) => (
        <label key={value}>
          <input
            type="radio"
            name={name}
            value={value}
            checked={value === props.value}
            onChange={() => props.onInput(value)}
          />
          {text}
        </label>
      ))}
    </fieldset>
  );
}
