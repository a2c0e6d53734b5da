/** What every run must keep. The words are those of failures. */
export const INVARIANTS = {
  disabled: 'a node in reach issues no token more than a second after a disable',
  stale: 'a node out of reach issues no token past the stale bound after a disable',
  withdrawn: 'no token is signed by a withdrawn key',
  prefix: 'what a node knows is at least as new as the change that it claims to have applied',
  revoked: 'a revocation list has every revocation up to the time and change that it claims',
  lost: 'an acknowledged change is in the store',
  usage: 'each token is counted once',
  reused: 'an assertion proves its API user once',
  kept: 'a revocation stays in the store until the tokens that it covers have expired',
  limit: 'all nodes together stay within the bound of a limit',
  converges: 'after all faults, every node knows what the store has',
} as const;

export type Invariant = keyof typeof INVARIANTS;

export interface Violation {
  invariant: Invariant;
  /** The true time since the start of the run, in milliseconds. */
  at: number;
  detail: string;
}
