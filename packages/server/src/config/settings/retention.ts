/** How often usage is written, and how long records are kept. */
export const RETENTION_SETTINGS = {
  usageFlushMs: {
    type: 'whole',
    env: 'MINTMARK_USAGE_FLUSH',
    value: '<ms>',
    default: 10_000,
    min: 100,
    max: 60_000,
    help: 'How often usage is written: tokens and refusals of API users, last use and count of credentials.',
  },
  usageDaysKept: {
    type: 'whole',
    env: 'MINTMARK_USAGE_DAYS_KEPT',
    value: '<days>',
    default: 400,
    min: 7,
    max: 3650,
    help: 'Usage by the day is kept for this time.',
  },
  endedCredentialsKeptDays: {
    type: 'whole',
    env: 'MINTMARK_ENDED_CREDENTIALS_KEPT',
    value: '<days>',
    default: 90,
    min: 1,
    max: 3650,
    help: 'Retired and expired credentials are removed after this time.',
  },
  auditKeptDays: {
    type: 'whole',
    env: 'MINTMARK_AUDIT_KEPT',
    value: '<days>',
    default: 400,
    min: 0,
    max: 36_500,
    help: 'Entries of the audit log are removed after this time; 0: never.',
  },
} as const;
