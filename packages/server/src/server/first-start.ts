import type { Config } from '../config/config.ts';
import { SYSTEM } from '../domain/actor.ts';
import { UNSET_SETTINGS, type ApiUser } from '../domain/api-user.ts';
import { signingKeyFacts } from '../domain/audit-facts.ts';
import type { MasterKey } from '../storage/master-key.ts';
import type { Store } from '../storage/store.ts';
import { audited } from '../admin/audited.ts';
import { creationsOf, insertApiUserWithSecret } from '../admin/api-user-with-secret.ts';
import { createFirstSigningKey } from '../admin/signing-key.ts';

export interface FirstApiUser {
  user: ApiUser;
  secret: string;
}

/**
 * Creates what an empty store needs at the first start: the signing key and, if so configured, one API user.
 * Returns the API user with its secret, which is shown once; null if none was created.
 */
export async function firstStart(
  store: Store,
  masterKey: MasterKey,
  config: Pick<Config, 'signingAlgorithm' | 'firstApiUser'>,
  nowMs: number,
): Promise<FirstApiUser | null> {
  const attempt = { action: 'signing_key.create', subject: { kind: 'signing_key', id: null } } as const;
  // One transaction: an interrupted start must not leave an API user whose secret was never shown.
  return await audited({ store, actor: SYSTEM, nowMs }, attempt, async (transaction) => {
    const key = await createFirstSigningKey(transaction, masterKey, config.signingAlgorithm, nowMs);
    if (key === null) return { result: null, unchanged: true };
    const effect = { subjectId: key.kid, after: signingKeyFacts(key) };
    if (!config.firstApiUser || (await transaction.apiUsers.any())) return { result: null, ...effect };
    const created = await insertApiUserWithSecret(transaction, FIRST_API_USER, FIRST_SECRET, {
      actor: SYSTEM,
      nowMs,
    });
    return { result: { user: created.user, secret: created.secret }, ...effect, also: creationsOf(created) };
  });
}

const FIRST_SECRET = { name: 'made at the first start', expiresAt: null };

const FIRST_API_USER = { ...UNSET_SETTINGS, name: 'First API user', scopes: ['campaigns:read'] };
