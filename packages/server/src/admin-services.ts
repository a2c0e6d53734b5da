import type { Config } from './config.ts';
import type { AdminServices } from './http/admin/plugin.ts';
import {
  createApiUser,
  deleteApiUser,
  existingApiUser,
  revokeApiUserTokens,
  updateApiUser,
} from './manage/api-users.ts';
import { createApiUserWithSecret } from './manage/new-api-user.ts';
import type { OperatorsPart } from './operator-services.ts';
import type { Statistics } from './statistics.ts';
import { memoryCounters } from './storage/memory-counters.ts';
import { storeFault } from './storage/store-error.ts';
import type { Store } from './storage/store.ts';
import { VERSION } from './version.ts';

/** What the admin API shares with the rest of the process, and what of it is put together elsewhere. */
export type SharedServices = Pick<
  AdminServices,
  'addressOf' | 'readToken' | 'isRevoked' | 'followChanges' | 'log'
> &
  OperatorsPart['services'] &
  Statistics['admin'];

/** What the routes of the admin API call: manage/ on this store. */
export function adminServices(store: Store, config: Config, shared: SharedServices): AdminServices {
  return {
    ...shared,
    now: Date.now,
    issuer: config.issuer,
    addresses: memoryCounters(config.limiterKeysMax),
    findApiUser: (clientId) => store.apiUsers.find(clientId),
    storeFault,
    version: VERSION,
    signingKeys: { list: () => store.signingKeys.list() },
    apiUsers: apiUsers(store),
    usage: store.usage,
  };
}

function apiUsers(store: Store): AdminServices['apiUsers'] {
  return {
    list: (filter, page) => store.apiUserList.page(filter, page, Date.now()),
    find: (name) => existingApiUser(store, name),
    create: (by, settings, once) => createApiUser(store, by, settings, Date.now(), once),
    createWithSecret: (by, settings, secret, once) =>
      createApiUserWithSecret(store, by, settings, secret, Date.now(), once),
    update: (by, name, changes, options) => updateApiUser(store, by, name, changes, Date.now(), options),
    delete: (by, name, options) => deleteApiUser(store, by, name, Date.now(), options),
    async revokeTokens(by, name, options) {
      const { revocation } = await revokeApiUserTokens(store, by, name, Date.now(), options);
      return (revocation.issuedBefore ?? 0) * 1000;
    },
  };
}
