import { apiUserRecord, type ApiUserRecord } from '../domain/api-user-record.ts';
import type { ApiUserFilter, ListedApiUser } from '../domain/api-user-list.ts';
import { credentialState, type Credential } from '../domain/credential.ts';
import type { Store } from '../storage/store.ts';
import { audited, type Change } from './audited.ts';

/** API users read at a time. */
const PAGE = 200;

export interface ApiUserExport {
  digests: boolean;
  filter: ApiUserFilter;
}

/**
 * Yields the API users that match a filter, in the order of their client ids; with `digests`, also the
 * digests of their live credentials. An export of digests is recorded, because its reader can try passwords
 * on them.
 */
export async function* exportApiUsers(
  change: Change,
  { digests, filter }: ApiUserExport,
): AsyncGenerator<ApiUserRecord, void, undefined> {
  const { store, nowMs } = change;
  if (digests) {
    const criteria = Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== null));
    const attempt = { action: 'api_user.export', subject: { kind: 'store', id: null } } as const;
    const after = { digests, ...criteria };
    await audited(change, attempt, async () => ({ result: null, after }));
  }
  for (let after: string | null = null; ;) {
    const page: ListedApiUser[] = await store.apiUserList.byId(filter, { after, limit: PAGE }, nowMs);
    const users = page.map(({ user }) => user);
    const credentials = digests ? await liveCredentials(store, users, nowMs) : null;
    for (const user of users) {
      yield apiUserRecord(user, credentials === null ? null : (credentials.get(user.clientId) ?? []));
    }
    after = users.at(-1)?.clientId ?? null;
    if (after === null || users.length < PAGE) return;
  }
}

async function liveCredentials(
  store: Store,
  users: readonly { clientId: string }[],
  nowMs: number,
): Promise<Map<string, Credential[]>> {
  if (users.length === 0) return new Map();
  const all = await store.credentials.listOfAll(users.map(({ clientId }) => clientId));
  return Map.groupBy(
    all.filter((credential) => credentialState(credential, nowMs) === 'live'),
    ({ clientId }) => clientId,
  );
}
