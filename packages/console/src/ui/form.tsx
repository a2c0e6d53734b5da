import type { ComponentChildren, JSX } from 'preact';
import { createContext } from 'preact';
import { useCallback, useState } from 'preact/hooks';
import { useLeaveGuard } from '../state/leave-guard.ts';
import type { Action } from './action.ts';
import { Button, type ButtonKind } from './button.tsx';
import { Failure } from './notice.tsx';

const UNSAVED = {
  title: 'Leave without saving?',
  text: 'What you entered here has not been saved and will be lost.',
};

/** For controls that change without an `input` event. */
export const MarkEdited = createContext<() => void>(() => undefined);

export interface FormProps {
  onSubmit: () => void;
  /** Default `stack`. */
  class?: string;
  /** False for a form without input worth keeping, such as a confirmation. */
  guarded?: boolean;
  children: ComponentChildren;
}

/** A form that asks before the operator leaves edited input. */
export function Form({
  onSubmit,
  class: className = 'stack',
  guarded = true,
  children,
}: FormProps): JSX.Element {
  const [edited, setEdited] = useState(false);
  useLeaveGuard(guarded && edited, UNSAVED);
  const mark = useCallback(() => setEdited(true), []);
  return (
    <form
      class={className}
      onInput={mark}
      onSubmit={(event) => {
        event.preventDefault();
        onSubmit();
      }}
    >
      <MarkEdited.Provider value={mark}>{children}</MarkEdited.Provider>
    </form>
  );
}

export interface FormEndProps {
  action: Action<[]>;
  /** The button's verb. */
  verb: string;
  kind?: ButtonKind;
  disabled?: boolean;
  /** Other buttons, before and after the one that submits. */
  before?: ComponentChildren;
  children?: ComponentChildren;
}

/** The end of a form: the error of its action, and its buttons. */
export function FormEnd(props: FormEndProps): JSX.Element {
  const { action, verb, kind = 'primary', disabled = false, before, children } = props;
  return (
    <>
      <Failure error={action.error} />
      <div class="form-actions">
        {before}
        <Button kind={kind} type="submit" busy={action.busy} disabled={disabled}>
          {verb}
        </Button>
        {children}
      </div>
    </>
  );
}
