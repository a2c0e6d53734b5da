import type { ComponentChildren, JSX } from 'preact';
import { createContext } from 'preact';
import { useCallback, useContext, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { cut } from '../format.ts';
import { askToLeave, LeaveScope } from '../state/leave-guard.ts';
import { useAction } from './action.ts';
import { Button, type ButtonKind } from './button.tsx';
import { TextField } from './field.tsx';
import { Form, FormEnd } from './form.tsx';

export interface DialogProps {
  title: string;
  onClose: () => void;
  /** False: Escape and the cross do not close the dialog. */
  closable?: boolean;
  children: ComponentChildren;
}

const CloseDialog = createContext<() => void>(() => undefined);

/** A modal dialog. The page behind it is inert; closing restores the focus. */
export function Dialog({ title, onClose, closable = true, children }: DialogProps): JSX.Element {
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  const [scope] = useState(() => Symbol(title));
  const latest = useRef(onClose);
  latest.current = onClose;
  const close = useCallback(() => askToLeave(() => latest.current(), scope), [scope]);
  // Before the next paint: otherwise nothing has the focus and a key press is lost.
  useLayoutEffect(() => {
    const shown = element.current;
    const before = document.activeElement;
    shown?.showModal();
    return () => {
      shown?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={element}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        if (closable) close();
      }}
      onClose={() => {
        // Browsers close the dialog on a second Escape without `cancel`.
        if (element.current?.isConnected !== true) return;
        element.current.showModal();
        if (closable) close();
      }}
    >
      <div class="dialog-body">
        <div class="dialog-head">
          <h2 id={titleId} title={title}>
            {cut(title)}
          </h2>
          {closable && <Button kind="quiet" small icon="close" label="Close" onClick={close} />}
        </div>
        <CloseDialog.Provider value={close}>
          <LeaveScope.Provider value={scope}>{children}</LeaveScope.Provider>
        </CloseDialog.Provider>
      </div>
    </dialog>
  );
}

/** Closes its dialog. */
export function CancelButton(): JSX.Element {
  const close = useContext(CloseDialog);
  return <Button onClick={close}>Cancel</Button>;
}

export interface ConfirmProps {
  title: string;
  /** Describes the consequences. */
  children: ComponentChildren;
  /** The button's verb. */
  verb: string;
  kind?: ButtonKind;
  /** Text to type before the button is enabled. */
  typed?: { label: string; text: string };
  /** False: the action failed and the dialog stays open. */
  onConfirm: () => Promise<void | boolean>;
  disabled?: boolean;
  onClose: () => void;
}

/** Asks before a destructive action. Closes on success; stays and shows the error on failure. */
export function Confirm(props: ConfirmProps): JSX.Element {
  const { title, verb, kind = 'danger', typed, disabled = false, onConfirm, onClose, children } = props;
  const [text, setText] = useState('');
  const action = useAction(async () => {
    if ((await onConfirm()) !== false) onClose();
  });
  return (
    <Dialog title={title} onClose={onClose}>
      <Form onSubmit={() => action.run()} guarded={typed === undefined}>
        {children}
        {typed !== undefined && (
          <TextField
            label={typed.label}
            value={text}
            onInput={setText}
            mono
            autofocus
            placeholder={typed.text}
          />
        )}
        <FormEnd
          action={action}
          verb={verb}
          kind={kind}
          disabled={disabled || (typed !== undefined && text.trim() !== typed.text)}
          before={<CancelButton />}
        />
      </Form>
    </Dialog>
  );
}
