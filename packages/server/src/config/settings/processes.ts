import { whole, type Setting } from '../setting.ts';

/** The settings of the processes and their work; a part of `Config`. */
export interface ProcessConfig {
  readonly workers: number;
  readonly inFlightMax: number;
}

export const PROCESS_SETTINGS: { readonly [K in keyof ProcessConfig]: Setting<ProcessConfig[K]> } = {
  workers: whole(
    'WORKERS',
    '<number>',
    0,
    0,
    256,
    'How many worker processes serve, as many as there are cores at most; 0 or 1: this process serves by itself.',
  ),
  inFlightMax: whole(
    'IN_FLIGHT_MAX',
    '<number>',
    250,
    1,
    1e6,
    'Most requests of API users that a process takes up in one turn of its event loop; four times as many in a burst, and four times as many may wait for something. The excess gets 503.',
  ),
};
