export const ROLES = ['viewer', 'operator', 'admin'] as const;
/**
 * The rights of an operator: a viewer reads, an operator also changes API users and credentials, an admin
 * does everything.
 */
export type Role = (typeof ROLES)[number];

export const ACTOR_KINDS = ['operator', 'api_user', 'command_line', 'system'] as const;

/**
 * The author of a change or attempt. `address` is its network address without a port; null if it has none.
 */
export type Actor =
  /** `name` is the e-mail address. */
  | { kind: 'operator'; id: string; name: string; address: string | null; role: Role }
  /** `id` is the client id. */
  | { kind: 'api_user'; id: string; name: string; address: string | null }
  /** `name` is the user name in the operating system. */
  | { kind: 'command_line'; id: string; name: string; address: null }
  | { kind: 'system'; id: 'mintmark'; name: 'mintmark'; address: null };

/** The server: the actor of scheduled work and of the first start. */
export const SYSTEM: Actor = { kind: 'system', id: 'mintmark', name: 'mintmark', address: null };
