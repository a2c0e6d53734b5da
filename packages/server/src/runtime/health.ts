import type { ClockState } from './clock-watch.ts';

export interface Health {
  /**
   * `stale`: the store has been out of reach for longer than the bound. `going_stale`: it will be in some seconds, and tokens
   * are issued until then. `clock_off`: the clock of this process is wrong. All but `ready` are reasons to send no requests.
   */
  status: 'ready' | 'stopping' | 'stale' | 'going_stale' | 'clock_off' | 'no_signing_key';
  /** How long ago the process was last known to be in step with the store. */
  staleSeconds: number;
  /** API users in memory, and whether that is all of them. */
  apiUsers: number;
  complete: boolean;
  /** Whose calls the limits count: of this process, of all, or of this one although of all was asked for. */
  limits: 'own' | 'shared' | 'divided';
  clock: ClockState;
  /** Seconds for which the oldest change has been waiting for a synchronous standby, and whether that is too long. */
  standby: { waitSeconds: number; hangs: boolean };
}
