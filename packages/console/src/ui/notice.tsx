import type { ComponentChildren, JSX } from 'preact';
import { messageOf } from '../api/problem.ts';
import { Icon, type IconName } from './icon.tsx';

export type NoticeKind = 'info' | 'good' | 'warn' | 'danger';

const ICONS: Record<NoticeKind, IconName> = { info: 'info', good: 'check', warn: 'warning', danger: 'stop' };

export interface NoticeProps {
  kind?: NoticeKind;
  title?: ComponentChildren;
  /** Screen readers read it when it appears. */
  alert?: boolean;
  children?: ComponentChildren;
}

export function Notice({ kind = 'info', title, alert = false, children }: NoticeProps): JSX.Element {
  return (
    <div class={`notice ${kind}`} role={alert ? 'alert' : undefined}>
      <Icon name={ICONS[kind]} />
      <div class="stack tight">
        {title !== undefined && <strong>{title}</strong>}
        {children}
      </div>
    </div>
  );
}

/** The error of a request; renders nothing without one. */
export function Failure(props: { error: unknown; children?: ComponentChildren }): JSX.Element | null {
  const { error, children } = props;
  if (error === undefined || error === null) return null;
  return (
    <Notice kind="danger" alert>
      <p class="breakable">{messageOf(error)}</p>
      {children}
    </Notice>
  );
}

export function Empty(props: { icon: IconName; title: string; children?: ComponentChildren }): JSX.Element {
  const { icon, title, children } = props;
  return (
    <div class="empty">
      <Icon name={icon} size={40} />
      <h2>{title}</h2>
      {children}
    </div>
  );
}
