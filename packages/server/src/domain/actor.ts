import type { MemberRole } from './organisation.ts';

export const ROLES = ['viewer', 'operator', 'admin'] as const;
/**
 * The rights of an operator: a viewer reads, an operator also changes API users and credentials, an admin
 * does everything.
 */
export type Role = (typeof ROLES)[number];
export const ACCOUNT_ROLES = ['viewer', 'operator', 'admin', 'none'] as const;
/** `none`: a person without rights on the platform, who is only a member of organisations. */
export type AccountRole = (typeof ACCOUNT_ROLES)[number];

export const ACTOR_KINDS = ['operator', 'member', 'api_user', 'command_line', 'system'] as const;

/**
 * The author of a change or attempt. `address` is its network address without a port; null if it has none.
 */
export type Actor =
  /** `name` is the e-mail address. */
  | { kind: 'operator'; id: string; name: string; address: string | null; role: AccountRole }
  /**
   * A person in one organisation, who reaches nothing outside it. `name` is the e-mail address. `viewer`: an
   * operator who views the organisation as its members see it, and changes nothing.
   */
  | {
      kind: 'member';
      id: string;
      name: string;
      address: string | null;
      role: MemberRole | 'viewer';
      organisationId: string;
    }
  /** `id` is the client id. */
  | { kind: 'api_user'; id: string; name: string; address: string | null }
  /** `name` is the user name in the operating system. */
  | { kind: 'command_line'; id: string; name: string; address: null }
  | { kind: 'system'; id: 'mintmark'; name: 'mintmark'; address: null };

/** The server: the actor of scheduled work and of the first start. */
export const SYSTEM: Actor = { kind: 'system', id: 'mintmark', name: 'mintmark', address: null };

/** The organisation that the actor is confined to; null: the actor may reach all of them. */
export function confinedTo(actor: Actor): string | null {
  return actor.kind === 'member' ? actor.organisationId : null;
}

/** The account of the actor; null: the actor is not a person. */
export function accountOf({ kind, id }: Actor): string | null {
  return kind === 'operator' || kind === 'member' ? id : null;
}

/** Whether the actor may know of a thing of this organisation (null: of the platform). */
export function reaches(actor: Actor, organisationId: string | null): boolean {
  const only = confinedTo(actor);
  return only === null || only === organisationId;
}
