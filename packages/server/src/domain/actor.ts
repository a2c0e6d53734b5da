export const ROLES = ['viewer', 'operator', 'admin'] as const;
/** What an operator may do: a viewer reads; an operator also changes API users and credentials; an admin everything. */
export type Role = (typeof ROLES)[number];

export const ACTOR_KINDS = ['operator', 'api_user', 'command_line', 'system'] as const;

/** Who changes something, or asks to. `address`: from where, without a port; null where that means nothing. */
export type Actor =
  /** Named by the e-mail address. */
  | { kind: 'operator'; id: string; name: string; address: string | null; role: Role }
  /** By its client id. */
  | { kind: 'api_user'; id: string; name: string; address: string | null }
  /** By the user name of the operating system. */
  | { kind: 'command_line'; id: string; name: string; address: null }
  | { kind: 'system'; id: 'mintmark'; name: 'mintmark'; address: null };

/** The server itself: what it does by schedule, and at the first start. */
export const SYSTEM: Actor = { kind: 'system', id: 'mintmark', name: 'mintmark', address: null };
