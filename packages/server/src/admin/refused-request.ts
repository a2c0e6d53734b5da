import { confinedTo, type Actor } from '../domain/actor.ts';
import { REFUSED_REQUESTS_KEPT_MS } from '../domain/refused-request.ts';
import type { Store } from '../storage/store.ts';
import type { RefusedRequestPage, StoredRefusedRequest } from '../storage/tables/refused-request.ts';
import { existingApiUser } from './api-user.ts';

export interface RefusedRequestSearch {
  /** Client id or username; null: every API user that the actor may know of. */
  owner: string | null;
  traceId: string | null;
}

/** The refused requests of the last day that the actor may see, the newest first. */
export async function listRefusedRequests(
  { store, actor, nowMs }: { store: Store; actor: Actor; nowMs: number },
  { owner, traceId }: RefusedRequestSearch,
  page: RefusedRequestPage,
): Promise<StoredRefusedRequest[]> {
  const clientId = owner === null ? null : (await existingApiUser(store, owner, actor)).clientId;
  const filter = {
    clientId,
    traceId,
    organisationId: confinedTo(actor),
    since: nowMs - REFUSED_REQUESTS_KEPT_MS,
  };
  return await store.refusedRequests.list(filter, page);
}
