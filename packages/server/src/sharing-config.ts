import { whole, type Setting } from './setting.ts';

/** The settings for limits that several processes count together; a part of `Config`. */
export interface SharingConfig {
  /** At least 1. */
  readonly processes: number;
  readonly limitsDeadlineMs: number;
}

export const SHARING_SETTINGS: { readonly [K in keyof SharingConfig]: Setting<SharingConfig[K]> } = {
  processes: whole(
    'PROCESSES',
    '<number>',
    0,
    0,
    10_000,
    'How many processes share the limits: while they cannot, each lets that part of a limit through. 0: as many as this command starts.',
  ),
  limitsDeadlineMs: whole(
    'LIMITS_DEADLINE',
    '<ms>',
    50,
    5,
    5000,
    'Shared limits have so long to answer; then the request is decided by what its process knows.',
  ),
};
