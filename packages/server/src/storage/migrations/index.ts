import type { Migration } from 'kysely/migration';
import type { MIGRATION_NAMES } from './names.ts';
import { first } from './001-first.ts';
import { revocations } from './002-revocations.ts';
import { audit } from './003-audit.ts';
import { operators } from './004-operators.ts';
import { usage } from './005-usage.ts';
import { apiUserVersions } from './006-api-user-versions.ts';
import { apiUserFilters } from './007-api-user-filters.ts';
import { passwords } from './008-passwords.ts';
import { flushesAndClocks } from './009-flushes-and-clocks.ts';
import { signingKeyProofs } from './010-signing-key-proofs.ts';
import { deletedClientIds } from './011-deleted-client-ids.ts';
import { externalIds } from './012-external-ids.ts';
import { clientIdKeys } from './013-client-id-keys.ts';
import { quietCredentials } from './014-quiet-credentials.ts';
import { keysAndTrustRules } from './015-keys-and-trust-rules.ts';
import { keySources } from './016-key-sources.ts';
import { organisations } from './017-organisations.ts';
import { secretLinks } from './018-secret-links.ts';
import { refusedRequests } from './019-refused-requests.ts';

/** In order, forward only: during an upgrade, an older program must keep working on the newer store. */
export const migrations: Readonly<Record<(typeof MIGRATION_NAMES)[number], Migration>> = {
  '001-first': first,
  '002-revocations': revocations,
  '003-audit': audit,
  '004-operators': operators,
  '005-usage': usage,
  '006-api-user-versions': apiUserVersions,
  '007-api-user-filters': apiUserFilters,
  '008-passwords': passwords,
  '009-flushes-and-clocks': flushesAndClocks,
  '010-signing-key-proofs': signingKeyProofs,
  '011-deleted-client-ids': deletedClientIds,
  '012-external-ids': externalIds,
  '013-client-id-keys': clientIdKeys,
  '014-quiet-credentials': quietCredentials,
  '015-keys-and-trust-rules': keysAndTrustRules,
  '016-key-sources': keySources,
  '017-organisations': organisations,
  '018-secret-links': secretLinks,
  '019-refused-requests': refusedRequests,
};
