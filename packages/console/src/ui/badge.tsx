import type { ComponentChildren, JSX } from 'preact';
import type { Role } from '../../../server/src/domain/actor.ts';
import type { CredentialState } from '../../../server/src/domain/credential.ts';
import type { MemberRole } from '../../../server/src/domain/organisation.ts';
import type { SigningKeyState } from '../../../server/src/domain/signing-key.ts';

export type BadgeKind = 'plain' | 'good' | 'warn' | 'danger' | 'note';

export function Badge(props: { kind?: BadgeKind; children: ComponentChildren }): JSX.Element {
  const { kind = 'plain', children } = props;
  return <span class={kind === 'plain' ? 'badge' : `badge ${kind}`}>{children}</span>;
}

export function EnabledBadge({ enabled }: { enabled: boolean }): JSX.Element {
  return enabled ? <Badge kind="good">Enabled</Badge> : <Badge kind="danger">Disabled</Badge>;
}

const CREDENTIAL: Record<CredentialState, BadgeKind> = { live: 'good', expired: 'plain', retired: 'plain' };

export function CredentialBadge({ state }: { state: CredentialState }): JSX.Element {
  return <Badge kind={CREDENTIAL[state]}>{state}</Badge>;
}

const SIGNING_KEY: Record<SigningKeyState, BadgeKind> = {
  announced: 'note',
  active: 'good',
  retired: 'warn',
  removed: 'plain',
};

export function SigningKeyBadge({ state }: { state: SigningKeyState }): JSX.Element {
  return <Badge kind={SIGNING_KEY[state]}>{state}</Badge>;
}

export function RoleBadge({ role }: { role: Role | MemberRole | 'none' }): JSX.Element {
  return <Badge kind={role === 'admin' ? 'note' : 'plain'}>{role}</Badge>;
}
