import type { ComponentChildren, JSX, TargetedMouseEvent } from 'preact';
import { Icon, type IconName } from './icon.tsx';

export type ButtonKind = 'plain' | 'primary' | 'danger' | 'danger-quiet' | 'quiet';

interface Looks {
  kind?: ButtonKind;
  icon?: IconName;
  small?: boolean;
  /** For an icon without text: a description of its action. */
  label?: string;
  children?: ComponentChildren;
}

export interface ButtonProps extends Looks {
  onClick?: (event: TargetedMouseEvent<HTMLButtonElement>) => void;
  type?: 'button' | 'submit';
  /** The action is running: the button keeps the focus and ignores presses. */
  busy?: boolean;
  disabled?: boolean;
  form?: string;
}

export function Button({
  onClick,
  type = 'button',
  busy = false,
  disabled = false,
  form,
  ...looks
}: ButtonProps): JSX.Element {
  return (
    <button
      type={type}
      class={classOf(looks)}
      onClick={(event) => {
        if (busy) event.preventDefault();
        else onClick?.(event);
      }}
      disabled={disabled}
      aria-disabled={busy ? 'true' : undefined}
      aria-label={looks.label}
      title={looks.label}
      form={form}
    >
      {busy ? (
        <span class="spinner" aria-hidden="true" />
      ) : (
        looks.icon !== undefined && <Icon name={looks.icon} />
      )}
      {looks.children}
    </button>
  );
}

/** A link that looks like a button. */
export function LinkButton({
  href,
  download,
  ...looks
}: Looks & { href: string; download?: boolean | string }): JSX.Element {
  return (
    <a href={href} class={classOf(looks)} aria-label={looks.label} title={looks.label} download={download}>
      {looks.icon !== undefined && <Icon name={looks.icon} />}
      {looks.children}
    </a>
  );
}

function classOf({ kind = 'plain', small = false, children }: Looks): string {
  const kindClass = kind === 'plain' ? '' : ` ${kind}`;
  return `button${kindClass}${small ? ' small' : ''}${children === undefined ? ' only-icon' : ''}`;
}
