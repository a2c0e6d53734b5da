import { whole, type Setting } from '../setting.ts';

/** How long things are kept that would otherwise only grow; a part of `Config`. */
export interface RetentionConfig {
  readonly changesKept: number;
  readonly endedCredentialsKeptDays: number;
  /** 0: for ever. */
  readonly auditKeptDays: number;
}

export const RETENTION_SETTINGS: { readonly [K in keyof RetentionConfig]: Setting<RetentionConfig[K]> } = {
  changesKept: whole(
    'CHANGES_KEPT',
    '<number>',
    100_000,
    100,
    1e8,
    'Changes kept in the feed; a process further behind loads everything again.',
  ),
  endedCredentialsKeptDays: whole(
    'ENDED_CREDENTIALS_KEPT',
    '<days>',
    90,
    1,
    3650,
    'Retired and expired credentials are removed after this time.',
  ),
  auditKeptDays: whole(
    'AUDIT_KEPT',
    '<days>',
    400,
    0,
    36_500,
    'Entries of the audit log are removed after this time; 0: never.',
  ),
};
