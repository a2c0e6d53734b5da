import { auditedId, type AuditSubject } from '../domain/audit-entry.ts';
import type { Config } from '../config/config.ts';
import type { AdminServices } from '../http/admin/plugin.ts';
import {
  createApiUser,
  deleteApiUser,
  existingApiUser,
  revokeApiUserTokens,
  updateApiUser,
} from '../admin/api-user.ts';
import { exportAudit, listAudit, listHistory, verifyAudit } from '../admin/audit.ts';
import { createPassword, createSecret, retireCredential, updateCredential } from '../admin/credential.ts';
import { exportApiUsers } from '../admin/api-user-export.ts';
import { importApiUsers } from '../admin/api-user-import.ts';
import { createApiUserWithSecret } from '../admin/api-user-with-secret.ts';
import { cutOff, resetCredentials } from '../admin/reset-credentials.ts';
import { listSigningKeys, rotateSigningKey } from '../admin/signing-key.ts';
import type { MasterKey } from '../storage/master-key.ts';
import type { OperatorsPart } from './operator-services.ts';
import type { Statistics } from '../runtime/usage/statistics.ts';
import { recordRefusal } from '../admin/audited.ts';
import { memoryCounters } from '../storage/memory/counters.ts';
import { storeFault } from '../storage/store-error.ts';
import type { Store } from '../storage/store.ts';
import { VERSION } from '../lib/version.ts';

/** What the admin API shares with the rest of the process, and what of it is put together elsewhere. */
export type SharedServices = Pick<
  AdminServices,
  'addressOf' | 'readToken' | 'isRevoked' | 'clockIsOff' | 'catchingUp' | 'followChanges' | 'log'
> &
  OperatorsPart['services'] &
  Statistics['admin'];

/** What the routes of the admin API call: manage/ on this store. */
export function adminServices(
  store: Store,
  masterKey: MasterKey,
  config: Config,
  shared: SharedServices,
): AdminServices {
  return {
    ...shared,
    now: Date.now,
    issuer: config.issuer,
    addresses: memoryCounters(config.limiterKeysMax),
    noteForbidden: forbiddenNotes(store),
    findApiUser: (clientId) => store.apiUsers.find(clientId),
    storeFault,
    version: VERSION,
    signingKeys: {
      list: () => listSigningKeys(store, masterKey, Date.now()),
      async rotate(by, mode, algorithm) {
        const rotation = { algorithm: algorithm ?? config.signingAlgorithm, schedule: config, mode };
        const key = await rotateSigningKey(store, by, masterKey, rotation, Date.now());
        return { ...key, proven: true };
      },
    },
    credentials: credentials(store),
    bulk: {
      export: (by, asked) => exportApiUsers(store, by, asked, Date.now()),
      import: (by, lines, options) => importApiUsers(store, by, lines, Date.now, options),
    },
    audit: {
      list: (filter, page) => listAudit(store, filter, page),
      historyOf: (apiUser, page) => listHistory(store, apiUser, page),
      export: (by, filter) => exportAudit(store, by, filter, Date.now()),
      verify: () => verifyAudit(store),
    },
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

function credentials(store: Store): AdminServices['credentials'] {
  return {
    async listOf(owner) {
      const { clientId } = await existingApiUser(store, owner);
      return await store.credentials.listOf(clientId);
    },
    create: (by, asked, once) => createSecret(store, by, asked, Date.now(), once),
    createPassword: (by, asked, password, once) =>
      createPassword(store, by, asked, password, Date.now(), once),
    reset: (by, asked, once) => resetCredentials(store, by, asked, Date.now(), once),
    update: (by, id, changes) => updateCredential(store, by, id, changes, Date.now()),
    retire: (by, id, asked) => retireCredential(store, by, id, asked, Date.now()),
    cutOff: (by, owner, asked, once) => cutOff(store, by, owner, asked, Date.now(), once),
  };
}

/** Of one caller a minute: whoever may change nothing must not fill the audit log by trying. */
const FORBIDDEN_NOTED_MAX = 20;
const FORBIDDEN_CALLERS_MAX = 10_000;

function forbiddenNotes(store: Store): AdminServices['noteForbidden'] {
  const noted = memoryCounters(FORBIDDEN_CALLERS_MAX);
  return async (by, { action, clientId, id }, reason) => {
    const nowMs = Date.now();
    if (!noted.take(`${by.kind} ${by.id}`, FORBIDDEN_NOTED_MAX, nowMs).allowed) return;
    const owner = clientId === null ? null : ({ kind: 'api_user', id: auditedId(clientId) } as const);
    const [noun] = action.split('.', 1) as [AuditSubject['kind']];
    const subject = noun === 'api_user' && owner !== null ? owner : { kind: noun, id: auditedId(id) };
    await recordRefusal(store, by, nowMs, { action, subject, related: owner }, reason);
  };
}
