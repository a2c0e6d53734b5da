import type { ComponentChildren, JSX } from 'preact';
import { createContext } from 'preact';
import { useCallback, useContext, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { cut } from '../format.ts';
import { askToLeave, LeaveScope } from '../state/leave-guard.ts';
import { useAction } from './action.ts';
import { Button, type ButtonKind } from './button.tsx';
import { TextField } from './field.tsx';
import { Form } from './form.tsx';
import { Failure } from './notice.tsx';

export interface DialogProps {
  title: string;
  onClose: () => void;
  /** False: neither Escape nor a cross closes it. */
  closable?: boolean;
  children: ComponentChildren;
}

const CloseDialog = createContext<() => void>(() => undefined);

/** A modal dialog. While it is open the rest of the page is inert; afterwards the focus is back where it was. */
export function Dialog({ title, onClose, closable = true, children }: DialogProps): JSX.Element {
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  const [scope] = useState(() => Symbol(title));
  const latest = useRef(onClose);
  latest.current = onClose;
  const close = useCallback(() => askToLeave(() => latest.current(), scope), [scope]);
  // Before the next paint, not after it: else the focus is nowhere until then, and a key that is pressed goes there.
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
        // Browsers let a second Escape close it past `cancel`.
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

/** Closes the dialog that it is in. */
export function CancelButton(): JSX.Element {
  const close = useContext(CloseDialog);
  return <Button onClick={close}>Cancel</Button>;
}

export interface ConfirmProps {
  title: string;
  /** What will happen, before it does. */
  children: ComponentChildren;
  /** The verb, on the button. */
  verb: string;
  kind?: ButtonKind;
  /** What must be typed before the button works. */
  typed?: { label: string; text: string };
  /** False: it was not done, and the dialog stays open. */
  onConfirm: () => Promise<void | boolean>;
  disabled?: boolean;
  onClose: () => void;
}

/** Asks before something that hurts. It closes when that is done, and stays with the reason where it failed. */
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
        <Failure error={action.error} />
        <div class="form-actions">
          <CancelButton />
          <Button
            kind={kind}
            type="submit"
            busy={action.busy}
            disabled={disabled || (typed !== undefined && text.trim() !== typed.text)}
          >
            {verb}
          </Button>
        </div>
      </Form>
    </Dialog>
  );
}
