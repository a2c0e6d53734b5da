import type { ClockState } from './clock-watch.ts';

export interface Health {
  /**
   * `stale`: the store has been out of reach for longer than the bound. `going_stale`: the bound is some
   * seconds away, and the process issues tokens until then. `clock_off`: the clock of this process is wrong.
   * A load balancer sends requests only while the status is `ready`.
   */
  status: 'ready' | 'stopping' | 'stale' | 'going_stale' | 'clock_off' | 'no_signing_key';
  /** How long ago the process was last known to be in step with the store. */
  staleSeconds: number;
  /** API users in memory. */
  apiUsers: number;
  /** Whether all API users are in memory. */
  complete: boolean;
  /**
   * Whose calls the limits count: `own`, those of this process; `shared`, those of all processes; `divided`,
   * those of this process, although limits are to be shared.
   */
  limits: 'own' | 'shared' | 'divided';
  clock: ClockState;
  /** Seconds that the oldest change has been waiting for a synchronous standby. `hangs`: that is too long. */
  standby: { waitSeconds: number; hangs: boolean };
}
