import type { Config } from '../config.ts';
import type { ApiUser } from '../domain/api-user.ts';
import type { MasterKey } from '../master-key.ts';
import type { Store } from '../storage/store.ts';
import { createApiUser } from './api-users.ts';
import { createSecret } from './credentials.ts';
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
  const made = await store.write((transaction) =>
    createFirstSigningKey(transaction, masterKey, config.signingAlgorithm, nowMs),
  );
  if (made === null || !config.firstApiUser || (await store.apiUsers.any())) return null;
  const user = await createApiUser(store, FIRST_API_USER, nowMs);
  const asked = { owner: user.clientId, name: 'made at the first start', expiresAt: null };
  const { secret } = await createSecret(store, asked, nowMs);
  return { user, secret };
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
