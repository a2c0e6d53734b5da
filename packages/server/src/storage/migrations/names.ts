/**
 * The names of all migrations, in order. A store that has them all needs no code of a migration, so a start
 * loads this list alone.
 */
export const MIGRATION_NAMES = [
  '001-first',
  '002-revocations',
  '003-audit',
  '004-operators',
  '005-usage',
  '006-api-user-versions',
  '007-api-user-filters',
  '008-passwords',
  '009-flushes-and-clocks',
  '010-signing-key-proofs',
  '011-deleted-client-ids',
  '012-external-ids',
  '013-client-id-keys',
  '014-quiet-credentials',
  '015-keys-and-trust-rules',
  '016-key-sources',
  '017-organisations',
  '018-secret-links',
  '019-refused-requests',
] as const;
