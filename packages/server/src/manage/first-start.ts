import type { Config } from '../config.ts';
import type { ApiUser } from '../domain/api-user.ts';
import type { MasterKey } from '../master-key.ts';
import type { Store } from '../storage/store.ts';
import { insertApiUser } from './api-users.ts';
import { insertSecret } from './credentials.ts';
import { createFirstSigningKey } from './signing-keys.ts';

export interface FirstApiUser {
  user: ApiUser;
  secret: string;
}

/**
 * What the very first start of an empty store makes: the signing key, and (if so configured) one API user, whose secret
 * is given back to be shown once. Null on every later start.
 */
export async function firstStart(
  store: Store,
  masterKey: MasterKey,
  config: Pick<Config, 'signingAlgorithm' | 'firstApiUser'>,
  nowMs: number,
): Promise<FirstApiUser | null> {
  // All or nothing: a start that is cut off in between would leave an API user whose secret nobody has seen.
  return await store.write(async (transaction) => {
    const key = await createFirstSigningKey(transaction, masterKey, config.signingAlgorithm, nowMs);
    if (key === null || !config.firstApiUser || (await transaction.apiUsers.any())) return null;
    const user = await insertApiUser(transaction, FIRST_API_USER, nowMs);
    const asked = { owner: user.clientId, name: 'made at the first start', expiresAt: null };
    const { secret } = await insertSecret(transaction, asked, nowMs);
    return { user, secret };
  });
}

const FIRST_API_USER = {
  name: 'First API user',
  username: null,
  contact: null,
  scopes: ['campaigns:read'],
  audiences: [],
  limitPerMinute: null,
  allowedNetworks: [],
};
